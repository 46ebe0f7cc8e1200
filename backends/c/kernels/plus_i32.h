#ifndef TINYC_PLUS_I32_H
#define TINYC_PLUS_I32_H

#include "common.h"

/* a + b, which wraps around. */
TINYC_INLINE int32_t tinyc_plus_i32(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

#endif
