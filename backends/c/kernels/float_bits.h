#ifndef TINYC_FLOAT_BITS_H
#define TINYC_FLOAT_BITS_H

#include "common.h"

/* A float as an integer: the sign, 8 bits of exponent with 127 for 1, 23 of the mantissa below its leading 1. */
TINYC_INLINE uint32_t tinyc_float_bits(float x)
{
    union {
        float number;
        uint32_t bits;
    } same;
    same.number = x;
    return same.bits;
}

#endif
