#ifndef TINYC_ROUNDING_SHIFT_I32_H
#define TINYC_ROUNDING_SHIFT_I32_H

#include "common.h"
#include "high_multiply_i32.h"

/* x / 2^right (0 to 32), rounded half away from zero. x is not the lowest value.
 *
 * With t = x, or x - 1 if x is negative, that is (t + 2^(right - 1)) / 2^right rounded down; the half is added after
 * most of the shift, where it cannot overflow.
 */
TINYC_INLINE int32_t tinyc_rounding_shift_i32(int32_t x, int right)
{
    return right == 0 ? x : (((x + (x >> 31)) >> (right - 1)) + 1) >> 1;
}

#endif
