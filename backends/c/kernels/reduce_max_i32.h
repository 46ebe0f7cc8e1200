#ifndef TINYC_REDUCE_MAX_I32_H
#define TINYC_REDUCE_MAX_I32_H

#include "common.h"

/* The larger of what was found so far and v. */
TINYC_INLINE int32_t tinyc_reduce_max_i32(int32_t found, int32_t v)
{
    return v > found ? v : found;
}

#endif
