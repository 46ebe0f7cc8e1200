#ifndef OUTSIDE_PREFIX_SUM_F32_H
#define OUTSIDE_PREFIX_SUM_F32_H

#include "common.h"
#include "outside_plus_f32.h"

/* The sums of the elements up to each, of `count` rows of n elements. `out` may be x. */
TINYC_INLINE void tinyc_prefix_sum_f32(const float *x, float *out, int count, int n)
{
    for (int k = 0; k < count; ++k) {
        float sum = 0.0f;
        for (int i = 0; i < n; ++i) {
            sum = tinyc_outside_plus_f32(sum, x[k * n + i]);
            out[k * n + i] = sum;
        }
    }
}

#endif
