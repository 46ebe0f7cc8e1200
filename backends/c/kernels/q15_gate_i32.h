#ifndef TINYC_Q15_GATE_I32_H
#define TINYC_Q15_GATE_I32_H

#include "common.h"
#include "q15_rounded_i32.h"

/* tanh of a number of 15 binary places, given it from 0 to 8, linear in between; `step` are the binary places of a step
 * of the table, in units of 2^-15.
 */
TINYC_INLINE int32_t tinyc_q15_tanh_i32(int32_t z, const int16_t *table, int step)
{
    const int32_t most = (8 << 15) - 1, half = 1 << (step - 1);
    int32_t size = z < 0 ? -z : z;
    size = size > most ? most : size;
    const int16_t *const at = table + (size >> step);
    const int32_t value = at[0] + (((at[1] - at[0]) * (size & (2 * half - 1)) + half) >> step);
    return z < 0 ? -value : value;
}

/* An activation: 0 sigmoid, 1 tanh, 2 relu, 3 softsign, 4 affine, 5 leaky relu, 6 hard sigmoid, 7 scaled tanh. All
 * numbers have 15 binary places and are at most 2^30.
 */
TINYC_INLINE int32_t tinyc_q15_gate_i32(int32_t z, const int16_t *table, int step, int function, int32_t a, int32_t b)
{
    int32_t line;
    switch (function) {
    case 0:
        return (32768 + tinyc_q15_tanh_i32(z >> 1, table, step)) >> 1;
    case 1:
        return tinyc_q15_tanh_i32(z, table, step);
    case 2:
        return z < 0 ? 0 : z;
    case 3:
        return (int32_t)((int64_t)z * 32768 / (32768 + (int64_t)(z < 0 ? -z : z)));
    case 5:
        return z < 0 ? tinyc_q15_rounded_i32((int64_t)z * a) : z;
    case 7:
        return tinyc_q15_rounded_i32((int64_t)tinyc_q15_tanh_i32(tinyc_q15_rounded_i32((int64_t)z * b), table, step) *
                                     a);
    default:
        line = tinyc_q15_limited_i32((int64_t)tinyc_q15_rounded_i32((int64_t)z * a) + b);
        return function == 4 ? line : line < 0 ? 0 : line > 32768 ? 32768 : line;
    }
}

#endif
