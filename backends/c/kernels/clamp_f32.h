#ifndef TINYC_CLAMP_F32_H
#define TINYC_CLAMP_F32_H

#include <math.h>

#include "common.h"
#include "xtensa_float.h"

/* Limits v to low..high. An infinite limit costs nothing; NaN passes through. */
TINYC_INLINE float tinyc_clamp_f32(float v, float low, float high)
{
#if TINYC_XTENSA_FLOAT
    if (low > -INFINITY) {
        __asm__("ole.s b0, %0, %1\n\tmovt.s %0, %1, b0" : "+f"(v) : "f"(low) : "b0");
    }
    if (high < INFINITY) {
        __asm__("olt.s b0, %1, %0\n\tmovt.s %0, %1, b0" : "+f"(v) : "f"(high) : "b0");
    }
#else
    if (low > -INFINITY) {
        v = v <= low ? low : v;
    }
    if (high < INFINITY) {
        v = high < v ? high : v;
    }
#endif
    return v;
}

#endif
