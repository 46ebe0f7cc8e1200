#ifndef TINYC_FINE_INVERSE_ROOT_I64_H
#define TINYC_FINE_INVERSE_ROOT_I64_H

#include "common.h"
#include "inverse_root_i64.h"

/* The same as tinyc_inverse_root_i64 in 31 bits: 2^(46 + k) / sqrt(x), of x of 0 to 2^63 - 1. One step of Newton's, of
 * which no part is beyond 2^63: what is missing to 2^62 is less than 2^49.
 */
TINYC_INLINE int32_t tinyc_fine_inverse_root_i64(int64_t x, int *halves)
{
    const int32_t root = tinyc_inverse_root_i64(x, halves);
    const uint64_t wide = x == 0 ? 1 : (uint64_t)x;
    const uint64_t m = *halves >= 0 ? wide >> (2 * *halves) : wide << (-2 * *halves);
    const uint64_t missing = (((uint64_t)1 << 62) - (uint64_t)root * (uint64_t)root * m) >> 32;
    return root * (1 << 15) + (int32_t)((uint64_t)root * missing >> 16);
}

#endif
