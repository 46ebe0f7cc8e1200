#ifndef TINYC_NARROW_I8_H
#define TINYC_NARROW_I8_H

#include "common.h"
#include "limit_i32.h"
#include "requantise_i32.h"

/* The int8 result of a sum: requantised, moved by `zero`, limited to low..high.
 *
 * `form` is the shortest way that gives what tinyc_requantise_i32 does for all sums and channels of a layer.
 *
 * 4: as 2, with shorter constants: see channel_i8.h.
 *
 * 3: the shift is 0, and the sum lies within -2^29..2^29 (both excluded). As 2, with four times the sum.
 *
 * 2: the shift is 0, and `multiplier` four times the real one. The high 32 bits of the product are sum * real / 2^30
 * rounded down, m; the result is sum * real / 2^31 with its half rounded up, which is (m + 1) / 2 rounded down.
 *
 * 1: the sum lies within -2^29..2^29 (both excluded) and the shift within -21..-1. With m = sum * multiplier / 2^30
 * rounded down, r = -shift and all divisions rounding down: the double high multiply's result is (m + 1) / 2; less 1 if
 * negative, plus 2^(r-1), it is divided by 2^r. So it is (m - 2 if negative + 1 + 2^r) / 2^(r+1). Where results below
 * zero are limited anyway, it does not matter how they are rounded.
 *
 * 0: any other.
 */
TINYC_INLINE int8_t tinyc_narrow_i8(int32_t sum, int32_t multiplier, int shift, int32_t zero, int32_t low, int32_t high,
                                    int form)
{
    if (form >= 2) {
        const int32_t m = (int32_t)(((int64_t)(form == 3 ? sum * 4 : sum) * multiplier) >> 32);
        return (int8_t)tinyc_limit_i32((m + 2 * zero + 1) >> 1, low, high);
    }
    if (form == 1) {
        const int32_t m = (int32_t)(((int64_t)(sum * 4) * multiplier) >> 32);
        const int32_t sign = low < zero ? (m >> 31) * 2 : 0;
        const int32_t moved = (2 * zero + 1) * (1 << -shift) + 1;
        return (int8_t)tinyc_limit_i32((m + sign + moved) >> (1 - shift), low, high);
    }
    return (int8_t)tinyc_limit_i32(tinyc_requantise_i32(sum, multiplier, shift) + zero, low, high);
}

#endif
