#ifndef TINYC_CLAMP_F32_H
#define TINYC_CLAMP_F32_H

#include <math.h>

#include "common.h"

/* Limits v to low..high. An infinite limit costs nothing; NaN passes through. */
TINYC_INLINE float tinyc_clamp_f32(float v, float low, float high)
{
    if (low > -INFINITY) {
        v = v <= low ? low : v;
    }
    if (high < INFINITY) {
        v = high < v ? high : v;
    }
    return v;
}

#endif
