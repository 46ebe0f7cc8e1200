#ifndef TINYC_WCUM_SUM_I16_H
#define TINYC_WCUM_SUM_I16_H

#include "common.h"
#include "narrow_wide.h"
#include "put_wide.h"

/* As tinyc_qcum_sum_i8, where operand or result is int16. `form` is as in tinyc_narrow_wide, results have `to` bytes.
 */
TINYC_INLINE void tinyc_wcum_sum_i16(const int16_t *x, void *out, int outer, int n, int inner, int exclusive,
                                     int reverse, int x_zero, int32_t multiplier, int shift, int zero, int low,
                                     int high, int form, int to)
{
    for (int o = 0; o < outer; ++o) {
        for (int i = 0; i < inner; ++i) {
            int64_t sum = 0;
            for (int k = 0; k < n; ++k) {
                const int at = (o * n + (reverse ? n - 1 - k : k)) * inner + i;
                const int64_t with = sum + x[at] - x_zero;
                const int64_t total = exclusive ? sum : with;
                tinyc_put_wide(out, at, tinyc_narrow_wide(total, multiplier, shift, zero, low, high, form), to);
                sum = with;
            }
        }
    }
}

#endif
