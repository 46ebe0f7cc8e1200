#ifndef TINYC_SOFTMAX_F32_H
#define TINYC_SOFTMAX_F32_H

#include <math.h>

#include "common.h"
#include "reduce_max_f32.h"

/* exp(x - max) / sum of exp(x - max) over each of `count` rows of n elements. `out` may be x. */
TINYC_INLINE void tinyc_softmax_f32(const float *x, float *out, int count, int n)
{
    for (int k = 0; k < count; ++k) {
        float most = x[0];
        float sum = 0.0f;
        for (int i = 1; i < n; ++i) {
            most = tinyc_reduce_max_f32(most, x[i]);
        }
        for (int i = 0; i < n; ++i) {
            out[i] = expf(x[i] - most);
            sum += out[i];
        }
        for (int i = 0; i < n; ++i) {
            out[i] = out[i] / sum;
        }
        x += n;
        out += n;
    }
}

#endif
