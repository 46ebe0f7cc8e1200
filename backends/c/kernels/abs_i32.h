#ifndef TINYC_ABS_I32_H
#define TINYC_ABS_I32_H

#include "common.h"

/* Absolute value; that of the lowest value wraps around to itself. */
TINYC_INLINE int32_t tinyc_abs_i32(int32_t a)
{
    return a < 0 ? (int32_t)(0U - (uint32_t)a) : a;
}

#endif
