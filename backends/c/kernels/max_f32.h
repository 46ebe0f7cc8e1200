#ifndef TINYC_MAX_F32_H
#define TINYC_MAX_F32_H

#include "common.h"

/* The larger; NaN in `a` passes through. */
TINYC_INLINE float tinyc_max_f32(float a, float b)
{
    return a < b ? b : a;
}

#endif
