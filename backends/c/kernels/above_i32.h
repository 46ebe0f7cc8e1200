#ifndef TINYC_ABOVE_I32_H
#define TINYC_ABOVE_I32_H

#include "common.h"

/* Whether a is the larger of two numbers. */
TINYC_INLINE int tinyc_above_i32(int32_t a, int32_t b)
{
    return a > b;
}

#endif
