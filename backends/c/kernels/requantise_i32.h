#ifndef TINYC_REQUANTISE_I32_H
#define TINYC_REQUANTISE_I32_H

#include "common.h"
#include "high_multiply_i32.h"
#include "rounding_shift_i32.h"

/* x * multiplier * 2^(shift - 31), rounded twice as TFLite does it. x * 2^shift fits int32 and is not its lowest value;
 * the multiplier is not negative, shift is -31 to 30.
 */
TINYC_INLINE int32_t tinyc_requantise_i32(int32_t x, int32_t multiplier, int shift)
{
    if (shift > 0) {
        return tinyc_high_multiply_i32(x * (1 << shift), multiplier);
    }
    return tinyc_rounding_shift_i32(tinyc_high_multiply_i32(x, multiplier), -shift);
}

#endif
