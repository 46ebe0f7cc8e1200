#ifndef TINYC_HIGH_APART_I32_H
#define TINYC_HIGH_APART_I32_H

#include "common.h"
#include "high_multiply_i32.h"

/* tinyc_high_multiply_i32, as a function that is called: less code where much of it is done seldom. */
TINYC_NOINLINE int32_t tinyc_high_apart_i32(int32_t x, int32_t multiplier)
{
    return tinyc_high_multiply_i32(x, multiplier);
}

/* Either, by a literal. */
TINYC_INLINE int32_t tinyc_high_either_i32(int32_t x, int32_t multiplier, int apart)
{
    return apart ? tinyc_high_apart_i32(x, multiplier) : tinyc_high_multiply_i32(x, multiplier);
}

#endif
