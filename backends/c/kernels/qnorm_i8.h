#ifndef TINYC_QNORM_I8_H
#define TINYC_QNORM_I8_H

#include "common.h"
#include "inverse_root_i64.h"
#include "narrow_i8.h"

/* Groups of n int8 values, `inner` apart, less their zero point: `inner` groups beside each other, `count` times. Each
 * value v becomes t = (n * v - mean) / root, 16 bits, where root is that of n times the sum of squares, less that of
 * `mean`, the group's sum (or 0, if it is not `centred`), and with `epsilon`; then t * g + b is requantised. The
 * factors g and b go on by `outer_step`, `step` and `inner_step`; those of a group begin again after `period` values,
 * which n is a multiple of. t is the high half of the product of a difference, shifted by `left`, and the reciprocal of
 * the root, shifted right by `right` and what the reciprocal asks for. `form` as in tinyc_narrow_i8.
 */
TINYC_INLINE void tinyc_qnorm_i8(const int8_t *x, const int16_t *g, const int32_t *b, int8_t *restrict out, int count,
                                 int n, int inner, int outer_step, int step, int inner_step, int period, int x_zero,
                                 int64_t epsilon, int centred, int left, int right, int32_t multiplier, int shift,
                                 int zero, int low, int high, int form)
{
    for (int k = 0; k < count; ++k) {
        for (int c = 0; c < inner; ++c) {
            const int8_t *const last = x + c + n * inner;
            int32_t mean = 0;
            int32_t squares = 0;
            for (const int8_t *p = x + c; p != last; p += inner) {
                const int32_t v = *p - x_zero;
                mean += centred ? v : 0;
                squares += v * v;
            }
            int halves;
            const int64_t variance = (int64_t)squares * n - (int64_t)mean * mean;
            const int32_t root = tinyc_inverse_root_i64(variance * 4096 + epsilon, &halves) * (1 << 15);
            const int places = halves + right > 1 ? halves + right : 1;
            const int32_t half = 1 << (places - 1);
            int8_t *to = out + c;
            const int8_t *p = x + c;
            do {
                const int16_t *factor = g + k * outer_step + c * inner_step;
                const int32_t *offset = b + k * outer_step + c * inner_step;
                const int8_t *const end = period < n ? p + period * inner : last;
                for (; p != end; p += inner) {
                    const int32_t difference = ((*p - x_zero) * n - mean) * (1 << left);
                    const int32_t product = (int32_t)(((int64_t)difference * root) >> 32);
                    const int32_t t = (product + half) >> places;
                    *to = tinyc_narrow_i8(t * *factor + *offset, multiplier, shift, zero, low, high, form);
                    to += inner;
                    factor += step;
                    offset += step;
                }
            } while (period < n && p != last);
        }
        x += n * inner;
        out += n * inner;
    }
}

#endif
