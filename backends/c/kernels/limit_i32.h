#ifndef TINYC_LIMIT_I32_H
#define TINYC_LIMIT_I32_H

#include "common.h"

/* The value nearest to v in low..high. */
TINYC_INLINE int32_t tinyc_limit_i32(int32_t v, int32_t low, int32_t high)
{
    if (v < low) {
        v = low;
    }
    if (v > high) {
        v = high;
    }
    return v;
}

#endif
