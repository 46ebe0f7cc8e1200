#ifndef TINYC_REDUCE_MIN_I32_H
#define TINYC_REDUCE_MIN_I32_H

#include "common.h"

/* The smaller of what was found so far and v. */
TINYC_INLINE int32_t tinyc_reduce_min_i32(int32_t found, int32_t v)
{
    return v < found ? v : found;
}

#endif
