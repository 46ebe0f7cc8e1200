#ifndef TINYC_WTILE_I16_H
#define TINYC_WTILE_I16_H

#include "bias_wide.h"
#include "common.h"
#include "narrow_wide.h"
#include "put_wide.h"
#include "qadd_element_i16.h"
#include "run_i16.h"
#include "unscheduled.h"
#include "wlong_i16.h"

/* Writes the results of one output channel for `pixels` pixels, `at` the first of them and `next` apart. */
TINYC_INLINE void tinyc_wstore_i16(void *out, int at, int pixels, int next, int32_t a, int32_t b, int32_t c, int32_t d,
                                   int32_t factor, int places, int zero, int low, int high, int form, int to)
{
    tinyc_put_wide(out, at, tinyc_narrow_wide(a, factor, places, zero, low, high, form), to);
    if (pixels > 1) {
        tinyc_put_wide(out, at + next, tinyc_narrow_wide(b, factor, places, zero, low, high, form), to);
    }
    if (pixels > 2) {
        tinyc_put_wide(out, at + 2 * next, tinyc_narrow_wide(c, factor, places, zero, low, high, form), to);
    }
    if (pixels > 3) {
        tinyc_put_wide(out, at + 3 * next, tinyc_narrow_wide(d, factor, places, zero, low, high, form), to);
    }
}

/* A register tile: `lanes` (1 to 4) output channels, `channel` the first, of `pixels` (1 to 4) pixels.
 *
 * The window is as in tinyc_qtile_i8: kh rows, in each kw runs of n elements, `step` apart, the first at element `at`;
 * the next pixel's lie `next` further. Results go to `out_at` and `out_next` further. In form 5 of tinyc_narrow_wide
 * sums are of 64 bits, one at a time.
 */
TINYC_INLINE void tinyc_wtile_i16(const int16_t **rows, const int16_t *pad, const int8_t *w, const void *bias,
                                  const int32_t *multiplier, const int8_t *shift, void *out, int channel, int out_at,
                                  int lanes, int pixels, int border, int at, int skip, int next, int limit, int kh,
                                  int kw, int step, int n, int out_next, int zero, int low, int high, int form, int to)
{
    tinyc_sums_i8 a, b, c, d;
    if (form == 5) {
        for (int k = 0; k < pixels; ++k) {
            tinyc_wlong_i16(rows, pad, w, bias, multiplier, shift, out, channel, out_at + k * out_next, lanes, border,
                            at + k * next, skip, limit, kh, kw, step, n, zero, low, high, to);
        }
        return;
    }
    a.s0 = (int32_t)tinyc_bias_wide(bias, channel, form);
    a.s1 = lanes > 1 ? (int32_t)tinyc_bias_wide(bias, channel + 1, form) : 0;
    a.s2 = lanes > 2 ? (int32_t)tinyc_bias_wide(bias, channel + 2, form) : 0;
    a.s3 = lanes > 3 ? (int32_t)tinyc_bias_wide(bias, channel + 3, form) : 0;
    b = a;
    c = a;
    d = a;
    for (int ky = 0; ky < kh; ++ky) {
        for (int kx = 0; kx < kw; ++kx) {
            const int16_t *p = tinyc_run_i16(rows[ky], pad, border, at + kx * step, limit, skip);
            const int16_t *const whole = p + n / 4 * 4;
            while (p != whole) {
                tinyc_qadd_element_i16(&a, &b, &c, &d, p, w, lanes, 0, pixels, next);
                tinyc_qadd_element_i16(&a, &b, &c, &d, p + 1, w + lanes, lanes, 0, pixels, next);
                tinyc_qadd_element_i16(&a, &b, &c, &d, p + 2, w + 2 * lanes, lanes, 0, pixels, next);
                tinyc_qadd_element_i16(&a, &b, &c, &d, p + 3, w + 3 * lanes, lanes, 0, pixels, next);
                p += 4;
                w += 4 * lanes;
            }
            for (int i = 0; i < n % 4; ++i) {
                tinyc_qadd_element_i16(&a, &b, &c, &d, p + i, w, lanes, 0, pixels, next);
                w += lanes;
            }
        }
    }
    tinyc_wstore_i16(out, out_at, pixels, out_next, a.s0, b.s0, c.s0, d.s0, multiplier[channel],
                     tinyc_shift_wide(shift, channel, form), zero, low, high, form, to);
    if (lanes > 1) {
        tinyc_wstore_i16(out, out_at + 1, pixels, out_next, a.s1, b.s1, c.s1, d.s1, multiplier[channel + 1],
                         tinyc_shift_wide(shift, channel + 1, form), zero, low, high, form, to);
    }
    if (lanes > 2) {
        tinyc_wstore_i16(out, out_at + 2, pixels, out_next, a.s2, b.s2, c.s2, d.s2, multiplier[channel + 2],
                         tinyc_shift_wide(shift, channel + 2, form), zero, low, high, form, to);
    }
    if (lanes > 3) {
        tinyc_wstore_i16(out, out_at + 3, pixels, out_next, a.s3, b.s3, c.s3, d.s3, multiplier[channel + 3],
                         tinyc_shift_wide(shift, channel + 3, form), zero, low, high, form, to);
    }
}

#endif
