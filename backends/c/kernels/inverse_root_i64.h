#ifndef TINYC_INVERSE_ROOT_I64_H
#define TINYC_INVERSE_ROOT_I64_H

#include "common.h"

/* The reciprocal of the square root of x, 0 to 2^62, of which 0 is taken as 1. With m = x * 4^-k of 31 or 32 bits, the
 * result is the largest number of 16 bits whose square times m is at most 2^62: 2^(31 + k) / sqrt(x). `halves` is k.
 */
TINYC_INLINE int32_t tinyc_inverse_root_i64(int64_t x, int *halves)
{
    uint64_t wide = (uint64_t)x;
    int k = 0;
    if (x == 0) {
        wide = 1;
    }
    while (wide >> 32 != 0) {
        wide >>= 2;
        ++k;
    }
    uint32_t m = (uint32_t)wide;
    while (m < 1u << 30) {
        m <<= 2;
        --k;
    }
    uint32_t root = 0;
    for (uint32_t bit = 1u << 15; bit != 0; bit >>= 1) {
        const uint32_t tried = root | bit;
        if ((uint64_t)(tried * tried) * m <= (uint64_t)1 << 62) {
            root = tried;
        }
    }
    *halves = k;
    return (int32_t)root;
}

#endif
