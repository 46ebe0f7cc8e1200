#ifndef TINYC_TO_I32_H
#define TINYC_TO_I32_H

#include "common.h"

/* Truncates toward zero. What is out of range becomes the nearest value in range, NaN becomes 0. */
TINYC_INLINE int32_t tinyc_to_i32(float x)
{
    if (x != x) {
        return 0;
    }
    if (x <= (float)INT32_MIN) {
        return INT32_MIN;
    }
    if (x >= (float)INT32_MAX) {
        return INT32_MAX;
    }
    return (int32_t)x;
}

#endif
