#ifndef TINYC_RECIPROCAL_I32_H
#define TINYC_RECIPROCAL_I32_H

#include "common.h"
#include "high_apart_i32.h"

/* 1 / d of d in [1, 2), both 31 bits after the point (d, at least 2^31, is unsigned); bit for bit as TFLite.
 *
 * Newton-Raphson division: three steps on d / 2 from the best linear first guess 48/17 - 32/17 * (d / 2), 29 bits after
 * the point. With `apart`, multiplications are calls.
 */
TINYC_INLINE int32_t tinyc_reciprocal_i32(uint32_t d, int apart)
{
    const int32_t half = (int32_t)(d >> 1);
    int32_t guess = 1515870810 + tinyc_high_either_i32(half, -1010580540, apart);
    for (int k = 0; k < 3; ++k) {
        const int32_t error = (1 << 29) - tinyc_high_either_i32(half, guess, apart);
        guess += tinyc_high_either_i32(guess, error, apart) * 4;
    }
    /* Twice what is wanted: 29 bits after the point are 30. 1 itself is a little more than can be said. */
    return guess >= 1 << 30 ? INT32_MAX : guess * 2;
}

#endif
