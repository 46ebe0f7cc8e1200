#ifndef TINYC_QTILE_I8_H
#define TINYC_QTILE_I8_H

#include "common.h"
#include "qsums_i8.h"
#include "run_i8.h"
#include "unscheduled.h"

/* tinyc_qadd_element_i8 for four elements that follow each other. */
TINYC_INLINE void tinyc_qadd_quad_i8(tinyc_sums_i8 *a, tinyc_sums_i8 *b, tinyc_sums_i8 *c, tinyc_sums_i8 *d,
                                     const int8_t *p, const int8_t *w, int lanes, int halves, int pixels, int next)
{
    const int size = halves ? lanes / 2 : lanes;
    tinyc_qadd_element_i8(a, b, c, d, p, w, lanes, halves, pixels, next);
    tinyc_qadd_element_i8(a, b, c, d, p + 1, w + size, lanes, halves, pixels, next);
    tinyc_qadd_element_i8(a, b, c, d, p + 2, w + 2 * size, lanes, halves, pixels, next);
    tinyc_qadd_element_i8(a, b, c, d, p + 3, w + 3 * size, lanes, halves, pixels, next);
}

/* A register tile: `lanes` (1 to 4) output channels of `pixels` (1 to 4) pixels.
 *
 * Sums x * w over kh rows, in each over kw runs of n contiguous elements `step` apart, the first at element `at`. The
 * next pixel's elements lie `next` further. With `border`, a run that does not lie within 0..limit-1 of its row is read
 * from `pad` instead. `skip` is added within a pixel, in rows and pad alike (the channels of a group). The weights of
 * the lanes are interleaved, with `halves` two in a byte. Results of the next pixel lie `out_next` further in out. A
 * turn of the loop takes `turn` elements: 4, or 8 where n is a multiple of it. All integers but at and skip are
 * literals in every use, so what a tile does not need is gone.
 */
TINYC_INLINE void tinyc_qtile_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const int32_t *bias,
                                 const int32_t *multiplier, const int8_t *shift, int8_t *restrict out, int lanes,
                                 int halves, int pixels, int border, int at, int skip, int next, int limit, int kh,
                                 int kw, int step, int n, int turn, int out_next, int zero, int low, int high, int form)
{
    const int size = halves ? lanes / 2 : lanes;
    tinyc_sums_i8 a = {bias[0], lanes > 1 ? bias[1] : 0, lanes > 2 ? bias[2] : 0, lanes > 3 ? bias[3] : 0};
    tinyc_sums_i8 b = a;
    tinyc_sums_i8 c = a;
    tinyc_sums_i8 d = a;
    for (int ky = 0; ky < kh; ++ky) {
        for (int kx = 0; kx < kw; ++kx) {
            const int8_t *p = tinyc_run_i8(rows[ky], pad, border, at + kx * step, limit, skip);
            const int8_t *const whole = p + n / 4 * 4;
            while (p != whole) {
                tinyc_qadd_quad_i8(&a, &b, &c, &d, p, w, lanes, halves, pixels, next);
                if (turn == 8) {
                    tinyc_qadd_quad_i8(&a, &b, &c, &d, p + 4, w + 4 * size, lanes, halves, pixels, next);
                }
                p += turn;
                w += turn * size;
            }
            for (int i = 0; i < n % 4; ++i) {
                tinyc_qadd_element_i8(&a, &b, &c, &d, p + i, w, lanes, halves, pixels, next);
                w += size;
            }
        }
    }
    tinyc_qstore_tile_i8(out, a, b, c, d, multiplier, shift, lanes, pixels, out_next, zero, low, high, form);
}

#endif
