#ifndef TINYC_REDUCE_MAX_F32_H
#define TINYC_REDUCE_MAX_F32_H

#include "common.h"

/* The larger of what was found so far and v; NaN stays. */
TINYC_INLINE float tinyc_reduce_max_f32(float found, float v)
{
    return v > found || v != v ? v : found;
}

#endif
