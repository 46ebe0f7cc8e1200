#ifndef TINYC_STEP_F32_H
#define TINYC_STEP_F32_H

#include "common.h"
#include "xtensa_float.h"

/* The element at *p, which moves on by `step` elements. */
TINYC_INLINE float tinyc_step_f32(const float **p, int step)
{
#if TINYC_XTENSA_FLOAT
    float v;
    const float *at = *p;
    __asm__("lsxp %0, %1, %2" : "=f"(v), "+r"(at) : "r"(step * 4), "m"(*at));
    *p = at;
    return v;
#else
    const float v = **p;
    *p += step;
    return v;
#endif
}

#endif
