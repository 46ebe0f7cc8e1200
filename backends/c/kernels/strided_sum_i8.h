#ifndef TINYC_STRIDED_SUM_I8_H
#define TINYC_STRIDED_SUM_I8_H

#include "common.h"

/* The sum of n int8 values that lie `step` apart. */
TINYC_INLINE int32_t tinyc_strided_sum_i8(const int8_t *x, int n, int step)
{
    const int8_t *const last = x + n / 4 * 4 * step;
    int32_t sum = 0;
    while (x != last) {
        sum += x[0];
        sum += x[step];
        sum += x[2 * step];
        sum += x[3 * step];
        x += 4 * step;
    }
    for (int i = 0; i < n % 4; ++i) {
        sum += x[i * step];
    }
    return sum;
}

#endif
