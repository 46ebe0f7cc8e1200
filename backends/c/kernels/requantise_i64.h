#ifndef TINYC_REQUANTISE_I64_H
#define TINYC_REQUANTISE_I64_H

#include "common.h"
#include "high_multiply_i32.h"

/* x * multiplier * 2^(shift - 31), rounded twice as tinyc_requantise_i32 does it. x * 2^shift lies within -2^46..2^46;
 * the multiplier is not negative, shift is -31 to 30. The product is taken in two parts, of which the upper is whole.
 */
TINYC_NOINLINE int64_t tinyc_requantise_i64(int64_t x, int32_t multiplier, int shift)
{
    const int64_t wide = shift > 0 ? x * (1 << shift) : x;
    const int64_t low = wide & 0x7fffffff;
    const int64_t high = (wide >> 31) * multiplier + ((low * multiplier + (1 << 30)) >> 31);
    return shift >= 0 ? high : (((high + (high >> 63)) >> (-shift - 1)) + 1) >> 1;
}

#endif
