#ifndef TINYC_DIV_I32_H
#define TINYC_DIV_I32_H

#include "common.h"

/* Quotient truncated toward zero; x / 0 is 0, and the lowest value / -1 wraps around. */
TINYC_INLINE int32_t tinyc_div_i32(int32_t a, int32_t b)
{
    if (b == 0) {
        return 0;
    }
    if (b == -1) {
        return (int32_t)(0U - (uint32_t)a);
    }
    return (int32_t)(a / b);
}

#endif
