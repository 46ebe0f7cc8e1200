#ifndef TINYC_QUANTIZE_BITS_H
#define TINYC_QUANTIZE_BITS_H

#include "common.h"

/* The integer nearest to x / scale, ties to even, plus zero, limited to low..high; 0 for NaN. x and scale are the bits
 * of floats. It is what rintf(x / scale) gives, whose quotient is rounded to a float first, for every x and without
 * floating point: `reciprocal` is 2^54 / (mantissa of scale, 2^23 to 2^24), rounded up, and scale is 2^-125 to 2^118.
 *
 * `rounded` is the quotient in steps of 2^-16 plus a half: its upper part is the nearest integer n. It is at most a
 * step too small, and 2^-6 steps too large. What is rounded to the float n - 1/2, a tie, is at most half a step from
 * it, so that only where the lower part is 0 or 1 can the quotient be that, or be on its other side. There x is
 * compared with the tie exactly, in units of half the scale's last bit: `past` is how far beyond it x is, which is
 * little, so that wrapping around does not matter, and `tie` how far what is rounded to it reaches. No quotient is a
 * midpoint of two floats: such a midpoint times the scale has more bits than x.
 */
TINYC_INLINE int tinyc_quantize_bits(uint32_t x, uint32_t scale, uint32_t reciprocal, int zero, int low, int high)
{
    const uint32_t size = x & 0x7fffffffU, above = size - scale;
    int n;
    if (above < 8U << 23) {
        const uint32_t mantissa = size << 8 | 0x80000000U, places = 14U + (scale >> 23) - (size >> 23);
        const uint32_t rounded = ((uint32_t)((uint64_t)mantissa * reciprocal >> 32) >> places) + 0x8001U;
        n = (int)(rounded >> 16);
        if ((rounded & 0xfffeU) == 0U) {
            const uint32_t unit = (scale & 0x7fffffU) | 0x800000U;
            const int past = (int)(((mantissa >> 8) << (15U - places)) - (2U * (uint32_t)n - 1U) * unit);
            const int tie = (int)(unit >> (23U - (above >> 23)));
            n -= n % 2 != 0 ? past <= tie : past < -tie;
        }
    } else if (size > 0x7f800000U) {
        return 0;
    } else {
        n = size >= scale ? 256 : size > scale - (1U << 23);
    }
    if (x >> 31 != 0U) {
        return zero - n < low ? low : zero - n;
    }
    return zero + n > high ? high : zero + n;
}

#endif
