#ifndef TINYC_QMUL_I8_H
#define TINYC_QMUL_I8_H

#include "common.h"
#include "narrow_i8.h"

/* `count` times n products of int8 values, less their zero points, requantised. y has n elements for each count, or
 * with `repeat` n for all of them. `form` as in tinyc_narrow_i8. `out` may be x, or without `repeat` y.
 */
TINYC_INLINE void tinyc_qmul_i8(const int8_t *x, const int8_t *y, int8_t *out, int count, int n, int repeat,
                                int x_zero, int y_zero, int32_t multiplier, int shift, int zero, int low, int high,
                                int form)
{
    for (int k = 0; k < count; ++k) {
        for (int i = 0; i < n; ++i) {
            out[i] = tinyc_narrow_i8((x[i] - x_zero) * (y[i] - y_zero), multiplier, shift, zero, low, high, form);
        }
        x += n;
        y += repeat ? 0 : n;
        out += n;
    }
}

#endif
