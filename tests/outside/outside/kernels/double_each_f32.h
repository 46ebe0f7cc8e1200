#ifndef OUTSIDE_DOUBLE_EACH_F32_H
#define OUTSIDE_DOUBLE_EACH_F32_H

#include "common.h"

TINYC_INLINE void tinyc_double_each_f32(const float *x, float *out, int n)
{
    for (int i = 0; i < n; ++i) {
        out[i] = x[i] + x[i];
    }
}

#endif
