#ifndef TINYC_QDIV_I8_H
#define TINYC_QDIV_I8_H

#include "common.h"
#include "limit_i32.h"

/* `count` times n quotients of int8 values, less their zero points: of x times `factor` and y, cut off, and rounded to
 * `places` places less. By 0, a number becomes a limit, and 0 the integer 0. y has n elements for each count, or with
 * `repeat` n for all of them; `out` may be x, and y without `repeat`.
 */
TINYC_INLINE void tinyc_qdiv_i8(const int8_t *x, const int8_t *y, int8_t *out, int count, int n, int repeat,
                                int x_zero, int y_zero, int32_t factor, int places, int zero, int low, int high)
{
    for (int k = 0; k < count; ++k) {
        for (int i = 0; i < n; ++i) {
            const int32_t v = x[i] - x_zero;
            const int32_t by = y[i] - y_zero;
            int32_t result;
            if (by != 0) {
                result = ((v * factor / by + (1 << (places - 1))) >> places) + zero;
            } else {
                result = v > 0 ? 128 : v < 0 ? -128 : 0;
            }
            out[i] = (int8_t)tinyc_limit_i32(result, low, high);
        }
        x += n;
        y += repeat ? 0 : n;
        out += n;
    }
}

#endif
