#ifndef TINYC_QMUL_I8_H
#define TINYC_QMUL_I8_H

#include "common.h"
#include "narrow_i8.h"

/* n products of int8 values, less their zero points, requantised, four at a time. `form` as in tinyc_narrow_i8. `out`
 * may be x or y.
 */
TINYC_INLINE void tinyc_qproducts_i8(const int8_t *x, const int8_t *y, int8_t *out, int n, int x_zero, int y_zero,
                                     int32_t multiplier, int shift, int zero, int low, int high, int form)
{
    const int8_t *const last = x + n / 4 * 4;
    while (x != last) {
        out[0] = tinyc_narrow_i8((x[0] - x_zero) * (y[0] - y_zero), multiplier, shift, zero, low, high, form);
        out[1] = tinyc_narrow_i8((x[1] - x_zero) * (y[1] - y_zero), multiplier, shift, zero, low, high, form);
        out[2] = tinyc_narrow_i8((x[2] - x_zero) * (y[2] - y_zero), multiplier, shift, zero, low, high, form);
        out[3] = tinyc_narrow_i8((x[3] - x_zero) * (y[3] - y_zero), multiplier, shift, zero, low, high, form);
        x += 4;
        y += 4;
        out += 4;
    }
    for (int i = 0; i < n % 4; ++i) {
        out[i] = tinyc_narrow_i8((x[i] - x_zero) * (y[i] - y_zero), multiplier, shift, zero, low, high, form);
    }
}

/* `count` times n products. y has n elements for each count, or with `repeat` n for all of them; `out` may be y without
 * `repeat` alone.
 */
TINYC_INLINE void tinyc_qmul_i8(const int8_t *x, const int8_t *y, int8_t *out, int count, int n, int repeat,
                                int x_zero, int y_zero, int32_t multiplier, int shift, int zero, int low, int high,
                                int form)
{
    for (int k = 0; k < count; ++k) {
        tinyc_qproducts_i8(x, y, out, n, x_zero, y_zero, multiplier, shift, zero, low, high, form);
        x += n;
        y += repeat ? 0 : n;
        out += n;
    }
}

#endif
