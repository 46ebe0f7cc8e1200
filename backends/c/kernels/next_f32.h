#ifndef TINYC_NEXT_F32_H
#define TINYC_NEXT_F32_H

#include "common.h"
#include "xtensa_float.h"

/* The element at *p, which moves on to the next one. */
TINYC_INLINE float tinyc_next_f32(const float **p)
{
#if TINYC_XTENSA_FLOAT
    float v;
    const float *at = *p;
    __asm__("lsip %0, %1, 4" : "=f"(v), "+r"(at) : "m"(*at));
    *p = at;
    return v;
#else
    return *(*p)++;
#endif
}

#endif
