#ifndef TINYC_MIN_F32_H
#define TINYC_MIN_F32_H

#include "common.h"

/* The smaller; NaN in `a` passes through. */
TINYC_INLINE float tinyc_min_f32(float a, float b)
{
    return b < a ? b : a;
}

#endif
