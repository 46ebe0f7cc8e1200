#ifndef TINYC_NARROW_WIDE_H
#define TINYC_NARROW_WIDE_H

#include "common.h"
#include "limit_i32.h"
#include "requantise_i32.h"
#include "requantise_i64.h"

/* The int8 or int16 result of a sum: requantised, moved by `zero`, limited to low..high. `form` says how:
 *
 * 5: any sum, in 64 bits.
 *
 * 2: the shift is 0, the sum fits int32, and `multiplier` is four times the real one: see tinyc_narrow_i8.
 *
 * 0: any sum that fits int32 when it is shifted left and moved.
 */
TINYC_INLINE int32_t tinyc_narrow_wide(int64_t sum, int32_t multiplier, int shift, int32_t zero, int32_t low,
                                       int32_t high, int form)
{
    if (form == 5) {
        const int64_t wide = tinyc_requantise_i64(sum, multiplier, shift) + zero;
        return wide < low ? low : wide > high ? high : (int32_t)wide;
    }
    if (form == 2) {
        const int32_t m = (int32_t)(((int64_t)(int32_t)sum * multiplier) >> 32);
        return tinyc_limit_i32((m + 2 * zero + 1) >> 1, low, high);
    }
    return tinyc_limit_i32(tinyc_requantise_i32((int32_t)sum, multiplier, shift) + zero, low, high);
}

#endif
