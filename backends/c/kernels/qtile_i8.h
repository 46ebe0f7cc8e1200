#ifndef TINYC_QTILE_I8_H
#define TINYC_QTILE_I8_H

#include "common.h"
#include "qstore_i8.h"
#include "run_i8.h"
#include "unscheduled.h"

/* The sums of up to four output channels of one pixel. */
typedef struct {
    int32_t s0, s1, s2, s3;
} tinyc_sums_i8;

/* Adds the products of one input element and the weights of `lanes` output channels. */
TINYC_INLINE void tinyc_qadd_products_i8(tinyc_sums_i8 *sums, int32_t x, const int8_t *w, int lanes)
{
    sums->s0 += x * w[0];
    if (lanes > 1) {
        sums->s1 += x * w[1];
    }
    if (lanes > 2) {
        sums->s2 += x * w[2];
    }
    if (lanes > 3) {
        sums->s3 += x * w[3];
    }
}

/* The same for one element of each of `pixels` pixels `next` apart. */
TINYC_INLINE void tinyc_qadd_element_i8(tinyc_sums_i8 *a, tinyc_sums_i8 *b, tinyc_sums_i8 *c, tinyc_sums_i8 *d,
                                        const int8_t *p, const int8_t *w, int lanes, int pixels, int next)
{
    tinyc_qadd_products_i8(a, p[0], w, lanes);
    if (pixels > 1) {
        tinyc_qadd_products_i8(b, p[next], w, lanes);
    }
    if (pixels > 2) {
        tinyc_qadd_products_i8(c, p[2 * next], w, lanes);
    }
    if (pixels > 3) {
        tinyc_qadd_products_i8(d, p[3 * next], w, lanes);
    }
}

/* The same for four elements that follow each other. */
TINYC_INLINE void tinyc_qadd_quad_i8(tinyc_sums_i8 *a, tinyc_sums_i8 *b, tinyc_sums_i8 *c, tinyc_sums_i8 *d,
                                     const int8_t *p, const int8_t *w, int lanes, int pixels, int next)
{
    tinyc_qadd_element_i8(a, b, c, d, p, w, lanes, pixels, next);
    tinyc_qadd_element_i8(a, b, c, d, p + 1, w + lanes, lanes, pixels, next);
    tinyc_qadd_element_i8(a, b, c, d, p + 2, w + 2 * lanes, lanes, pixels, next);
    tinyc_qadd_element_i8(a, b, c, d, p + 3, w + 3 * lanes, lanes, pixels, next);
}

/* Writes the results of a tile: `lanes` output channels of `pixels` pixels whose results lie `next` apart. */
TINYC_INLINE void tinyc_qstore_tile_i8(int8_t *restrict out, tinyc_sums_i8 a, tinyc_sums_i8 b, tinyc_sums_i8 c,
                                       tinyc_sums_i8 d, const int32_t *multiplier, const int8_t *shift, int lanes,
                                       int pixels, int next, int zero, int low, int high, int form)
{
    /* From here on, what results need lies in registers that the sums have left. */
    TINYC_KEEP(out);
    if (form >= 2) {
        TINYC_KEEP_AFTER(low, a.s0);
        TINYC_KEEP_AFTER(high, a.s0);
    }
    TINYC_KEEP(multiplier);
    tinyc_qstore_i8(out, pixels, next, a.s0, b.s0, c.s0, d.s0, multiplier, shift, 0, zero, low, high, form);
    if (lanes > 1) {
        TINYC_KEEP(multiplier);
        tinyc_qstore_i8(out, pixels, next, a.s1, b.s1, c.s1, d.s1, multiplier, shift, 1, zero, low, high, form);
    }
    if (lanes > 2) {
        TINYC_KEEP(multiplier);
        tinyc_qstore_i8(out, pixels, next, a.s2, b.s2, c.s2, d.s2, multiplier, shift, 2, zero, low, high, form);
    }
    if (lanes > 3) {
        TINYC_KEEP(multiplier);
        tinyc_qstore_i8(out, pixels, next, a.s3, b.s3, c.s3, d.s3, multiplier, shift, 3, zero, low, high, form);
    }
}

/* A register tile: `lanes` (1 to 4) output channels of `pixels` (1 to 4) pixels.
 *
 * Sums x * w over kh rows, in each over kw runs of n contiguous elements `step` apart, the first at element `at`. The
 * next pixel's elements lie `next` further. With `border`, a run that does not lie within 0..limit-1 of its row is read
 * from `pad` instead. `skip` is added within a pixel, in rows and pad alike (the channels of a group). The weights of
 * the lanes are interleaved. Results of the next pixel lie `out_next` further in out. A turn of the loop takes `turn`
 * elements: 4, or 8 where n is a multiple of it. All integers but at and skip are literals in every use, so what a tile
 * does not need is gone.
 */
TINYC_INLINE void tinyc_qtile_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const int32_t *bias,
                                 const int32_t *multiplier, const int8_t *shift, int8_t *restrict out, int lanes,
                                 int pixels, int border, int at, int skip, int next, int limit, int kh, int kw,
                                 int step, int n, int turn, int out_next, int zero, int low, int high, int form)
{
    tinyc_sums_i8 a = {bias[0], lanes > 1 ? bias[1] : 0, lanes > 2 ? bias[2] : 0, lanes > 3 ? bias[3] : 0};
    tinyc_sums_i8 b = a;
    tinyc_sums_i8 c = a;
    tinyc_sums_i8 d = a;
    for (int ky = 0; ky < kh; ++ky) {
        for (int kx = 0; kx < kw; ++kx) {
            const int8_t *p = tinyc_run_i8(rows[ky], pad, border, at + kx * step, limit, skip);
            const int8_t *const whole = p + n / 4 * 4;
            while (p != whole) {
                tinyc_qadd_quad_i8(&a, &b, &c, &d, p, w, lanes, pixels, next);
                if (turn == 8) {
                    tinyc_qadd_quad_i8(&a, &b, &c, &d, p + 4, w + 4 * lanes, lanes, pixels, next);
                }
                p += turn;
                w += turn * lanes;
            }
            for (int i = 0; i < n % 4; ++i) {
                tinyc_qadd_element_i8(&a, &b, &c, &d, p + i, w, lanes, pixels, next);
                w += lanes;
            }
        }
    }
    tinyc_qstore_tile_i8(out, a, b, c, d, multiplier, shift, lanes, pixels, out_next, zero, low, high, form);
}

#endif
