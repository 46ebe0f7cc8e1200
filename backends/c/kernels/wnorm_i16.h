#ifndef TINYC_WNORM_I16_H
#define TINYC_WNORM_I16_H

#include "common.h"
#include "fine_inverse_root_i64.h"
#include "narrow_wide.h"
#include "put_wide.h"

/* What tinyc_qnorm_i8 computes, where operand or result is int16: of groups of n values, `inner` apart, t in 23 bits,
 * and t * g / 512 + b requantised. `unit` is what a variance is multiplied by before epsilon is added. t is the product
 * of a difference and the reciprocal of the root, shifted right by `right` and what the reciprocal asks for: its upper
 * half by 32 less. Where that is 32 or less, the difference is shifted left, which then has 27 bits, since t has 23;
 * where it is below 7, the difference is 0. `form` is as in tinyc_narrow_wide, results have `to` bytes. `out` may be x,
 * if it has as many. Factors are `short` since int16_t is x's type, whatever that is.
 */
TINYC_INLINE void tinyc_wnorm_i16(const int16_t *x, const short *g, const int32_t *b, void *out, int count, int n,
                                  int inner, int outer_step, int step, int inner_step, int period, int x_zero,
                                  int64_t epsilon, int centred, int unit, int right, int32_t multiplier, int shift,
                                  int zero, int low, int high, int form, int to)
{
    for (int k = 0; k < count; ++k) {
        for (int c = 0; c < inner; ++c) {
            const int first = k * n * inner + c;
            const int last = first + n * inner;
            int32_t mean = 0;
            int64_t squares = 0;
            for (int at = first; at != last; at += inner) {
                const int32_t v = x[at] - x_zero;
                mean += centred ? v : 0;
                squares += (int64_t)v * v;
            }
            int halves;
            const int64_t variance = (squares * n - (int64_t)mean * mean) * unit;
            const int32_t root = tinyc_fine_inverse_root_i64(variance + epsilon, &halves);
            const int all = halves + right > 7 ? halves + right : 7;
            const int left = all < 33 ? 33 - all : 0;
            const int places = all + left - 32;
            const int32_t half = 1 << (places - 1);
            int at = first;
            do {
                const short *factor = g + k * outer_step + c * inner_step;
                const int32_t *offset = b + k * outer_step + c * inner_step;
                const int end = period < n ? at + period * inner : last;
                for (; at != end; at += inner) {
                    const int32_t difference = ((x[at] - x_zero) * n - mean) * (1 << left);
                    const int32_t t = ((int32_t)(((int64_t)difference * root) >> 32) + half) >> places;
                    const int32_t sum = (int32_t)(((int64_t)(t * 128) * (*factor * 65536)) >> 32) + *offset;
                    tinyc_put_wide(out, at, tinyc_narrow_wide(sum, multiplier, shift, zero, low, high, form), to);
                    factor += step;
                    offset += step;
                }
            } while (period < n && at != last);
        }
    }
}

#endif
