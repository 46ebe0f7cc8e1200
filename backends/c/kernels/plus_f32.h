#ifndef TINYC_PLUS_F32_H
#define TINYC_PLUS_F32_H

#include "common.h"

/* a + b. */
TINYC_INLINE float tinyc_plus_f32(float a, float b)
{
    return a + b;
}

#endif
