#ifndef TINYC_MULTIPLY_ADD_F32_H
#define TINYC_MULTIPLY_ADD_F32_H

#include <math.h>

#include "common.h"

/* x * w + sum, rounded once. */
TINYC_INLINE float tinyc_multiply_add_f32(float x, float w, float sum)
{
#if defined(__GNUC__)
    return __builtin_fmaf(x, w, sum);
#else
    return fmaf(x, w, sum);
#endif
}

#endif
