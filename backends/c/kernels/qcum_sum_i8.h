#ifndef TINYC_QCUM_SUM_I8_H
#define TINYC_QCUM_SUM_I8_H

#include "common.h"
#include "narrow_i8.h"

/* Of each of `outer` * `inner` vectors of n elements, which lie `inner` apart, the sums of all elements up to each, or
 * with `exclusive` before each, less the zero point, requantised; with `reverse` from the end on. `form` as in
 * tinyc_narrow_i8.
 */
TINYC_INLINE void tinyc_qcum_sum_i8(const int8_t *x, int8_t *restrict out, int outer, int n, int inner, int exclusive,
                                    int reverse, int x_zero, int32_t multiplier, int shift, int zero, int low, int high,
                                    int form)
{
    for (int o = 0; o < outer; ++o) {
        for (int i = 0; i < inner; ++i) {
            int32_t sum = 0;
            for (int k = 0; k < n; ++k) {
                const int at = (reverse ? n - 1 - k : k) * inner + i;
                const int32_t with = sum + x[at] - x_zero;
                out[at] = tinyc_narrow_i8(exclusive ? sum : with, multiplier, shift, zero, low, high, form);
                sum = with;
            }
        }
        x += n * inner;
        out += n * inner;
    }
}

#endif
