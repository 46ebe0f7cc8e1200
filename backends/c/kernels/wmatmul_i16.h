#ifndef TINYC_WMATMUL_I16_H
#define TINYC_WMATMUL_I16_H

#include "common.h"
#include "element_wide.h"
#include "narrow_wide.h"
#include "put_wide.h"

/* The product of the matrices x, `rows` of `inner` values, and y, `inner` of `columns`, both less their zero points,
 * requantised, where one of them or the result is int16: y begins at element `y_at` and has `y_bytes` bytes an element,
 * results begin at `out_at` and have `to` bytes. `form` is as in tinyc_narrow_wide.
 */
TINYC_INLINE void tinyc_wmatmul_i16(const int16_t *x, const void *y, int y_at, void *restrict out, int out_at,
                                    int y_bytes, int rows, int inner, int columns, int x_zero, int y_zero,
                                    int32_t multiplier, int shift, int zero, int low, int high, int form, int to)
{
    for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < columns; ++c) {
            int64_t sum = 0;
            int32_t words = 0;
            for (int k = 0; k < inner; ++k) {
                const int32_t a = x[k] - x_zero;
                const int32_t b = tinyc_element_wide(y, y_at + k * columns + c, y_bytes) - y_zero;
                if (form == 5) {
                    sum += (int64_t)a * b;
                } else {
                    words += a * b;
                }
            }
            tinyc_put_wide(out, out_at + r * columns + c,
                           tinyc_narrow_wide(form == 5 ? sum : words, multiplier, shift, zero, low, high, form), to);
        }
        x += inner;
    }
}

#endif
