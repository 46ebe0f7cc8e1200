#ifndef TINYC_ABOVE_F32_H
#define TINYC_ABOVE_F32_H

#include "common.h"

/* Whether a is the larger of two numbers. NaN is larger than all others. */
TINYC_INLINE int tinyc_above_f32(float a, float b)
{
    return a > b || (a != a && b == b);
}

#endif
