#ifndef TINYC_Q15_ROUNDED_I32_H
#define TINYC_Q15_ROUNDED_I32_H

#include "common.h"

/* A number of 15 binary places, limited to +-2^30. */
TINYC_INLINE int32_t tinyc_q15_limited_i32(int64_t x)
{
    const int32_t most = (int32_t)1 << 30;
    return x > most ? most : x < -most ? -most : (int32_t)x;
}

/* What a product of two such numbers is, or a sum of two products: rounded once, half up. */
TINYC_INLINE int32_t tinyc_q15_rounded_i32(int64_t products)
{
    return tinyc_q15_limited_i32((products + (1 << 14)) >> 15);
}

#endif
