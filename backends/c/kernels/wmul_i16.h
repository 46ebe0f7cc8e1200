#ifndef TINYC_WMUL_I16_H
#define TINYC_WMUL_I16_H

#include "common.h"
#include "element_wide.h"
#include "narrow_wide.h"
#include "put_wide.h"

/* `count` times n products of values, less their zero points, requantised, of which one or the result is int16: y has n
 * elements of `y_bytes` bytes for each count, or with `repeat` n for all of them. `form` is as in tinyc_narrow_wide,
 * results have `to` bytes. `out` may be x, or y without `repeat`, if it has as many.
 */
TINYC_INLINE void tinyc_wmul_i16(const int16_t *x, const void *y, void *out, int y_bytes, int count, int n, int repeat,
                                 int x_zero, int y_zero, int32_t multiplier, int shift, int zero, int low, int high,
                                 int form, int to)
{
    for (int k = 0; k < count; ++k) {
        for (int i = 0; i < n; ++i) {
            const int at = k * n + i;
            const int32_t a = x[at] - x_zero;
            const int32_t b = tinyc_element_wide(y, repeat ? i : at, y_bytes) - y_zero;
            const int64_t product = form == 5 ? (int64_t)a * b : a * b;
            tinyc_put_wide(out, at, tinyc_narrow_wide(product, multiplier, shift, zero, low, high, form), to);
        }
    }
}

#endif
