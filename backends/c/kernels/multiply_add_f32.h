#ifndef TINYC_MULTIPLY_ADD_F32_H
#define TINYC_MULTIPLY_ADD_F32_H

#include "common.h"

/* sum + x * w: the product is rounded, and then the sum. */
TINYC_INLINE float tinyc_multiply_add_f32(float x, float w, float sum)
{
    return sum + x * w;
}

#endif
