#ifndef TINYC_BITS_FLOAT_H
#define TINYC_BITS_FLOAT_H

#include "common.h"

/* The float that has these bits: tinyc_float_bits backwards. */
TINYC_INLINE float tinyc_bits_float(uint32_t bits)
{
    union {
        float number;
        uint32_t bits;
    } same;
    same.bits = bits;
    return same.number;
}

#endif
