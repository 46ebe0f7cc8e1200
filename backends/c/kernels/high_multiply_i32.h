#ifndef TINYC_HIGH_MULTIPLY_I32_H
#define TINYC_HIGH_MULTIPLY_I32_H

#include "common.h"

/* Right shifts of negative numbers round down, in all integer kernels. A compiler that does otherwise stops here. */
typedef char tinyc_right_shift_rounds_down[(-3 >> 1) == -2 ? 1 : -1];

/* x * multiplier / 2^31, rounded half away from zero except that negative halves go up: the result is the same as that
 * of TFLite's SaturatingRoundingDoublingHighMul. Not both may be the lowest value.
 */
TINYC_INLINE int32_t tinyc_high_multiply_i32(int32_t x, int32_t multiplier)
{
    return (int32_t)(((int64_t)x * multiplier + (1 << 30)) >> 31);
}

#endif
