#ifndef TINYC_DEQUANTIZE_BITS_H
#define TINYC_DEQUANTIZE_BITS_H

#include "common.h"

/* The bits of (float)steps * scale, for at most 255 steps in either direction and the bits of a scale from 2^-126 to
 * 2^118, without floating point: the product of 8 and 24 bits fits, is moved up to its highest bit, and rounded to 24,
 * ties to even. The leading 1 of the mantissa adds one to the exponent below it.
 */
TINYC_INLINE uint32_t tinyc_dequantize_bits(int steps, uint32_t scale)
{
    const uint32_t size = steps < 0 ? 0U - (uint32_t)steps : (uint32_t)steps;
    uint32_t product = size * ((scale & 0x7fffffU) | 0x800000U), exponent = (scale >> 23) + 7U;
    if (steps == 0) {
        return 0U;
    }
    if (product < 1U << 24) {
        product <<= 8;
        exponent -= 8U;
    }
    if (product < 1U << 28) {
        product <<= 4;
        exponent -= 4U;
    }
    if (product < 1U << 30) {
        product <<= 2;
        exponent -= 2U;
    }
    if (product < 1U << 31) {
        product <<= 1;
        exponent -= 1U;
    }
    product = (product >> 8) + ((product & 255U) + (product >> 8 & 1U) > 128U);
    return ((uint32_t)steps & 0x80000000U) | ((exponent << 23) + product);
}

#endif
