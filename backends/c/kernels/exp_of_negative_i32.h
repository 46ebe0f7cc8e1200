#ifndef TINYC_EXP_OF_NEGATIVE_I32_H
#define TINYC_EXP_OF_NEGATIVE_I32_H

#include "common.h"
#include "high_apart_i32.h"
#include "rounding_shift_i32.h"

/* exp(x), 31 bits after the point, of x <= 0, 26 bits after the point; bit for bit as TFLite.
 *
 * x is a multiple of -1/4 and a rest in [-1/4, 0). The rest's exponential is a Taylor polynomial of degree 4 around
 * -1/8; each bit of the multiple then multiplies by exp(-2^k), k = -2 .. 4.
 * With `apart`, multiplications are calls.
 */
TINYC_INLINE int32_t tinyc_exp_of_negative_i32(int32_t x, int apart)
{
    static const int32_t factors[7] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t rest = (x & 0xFFFFFF) - 0x1000000;
    const int32_t t = rest * 32 + (1 << 28);
    const int32_t t2 = tinyc_high_either_i32(t, t, apart);
    const int32_t t3 = tinyc_high_either_i32(t2, t, apart);
    const int32_t t4 = tinyc_high_either_i32(t2, t2, apart);
    const int32_t cubic = tinyc_high_either_i32(tinyc_rounding_shift_i32(t4, 2) + t3, 715827883, apart);
    const int32_t polynomial = t + tinyc_rounding_shift_i32(cubic + t2, 1);
    const int32_t multiple = rest - x;
    int32_t result = 1895147668 + tinyc_high_either_i32(polynomial, 1895147668, apart);
    if (x == 0) {
        return INT32_MAX;
    }
    for (int k = 0; k < 7; ++k) {
        if (multiple & (1 << (24 + k))) {
            result = tinyc_high_either_i32(result, factors[k], apart);
        }
    }
    return result;
}

#endif
