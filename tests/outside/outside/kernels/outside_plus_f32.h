#ifndef OUTSIDE_PLUS_F32_H
#define OUTSIDE_PLUS_F32_H

#include "common.h"

TINYC_INLINE float tinyc_outside_plus_f32(float a, float b)
{
    return (float)(a + b);
}

#endif
