#ifndef TINYC_WDIV_I16_H
#define TINYC_WDIV_I16_H

#include "common.h"
#include "element_wide.h"
#include "put_wide.h"

/* `count` times n quotients of values, less their zero points, of which one or the result is int16: as tinyc_qdiv_i8,
 * in 64 bits. y has `y_bytes` bytes an element, results `to`. `out` may be x, or y without `repeat`, if it has as many.
 */
TINYC_INLINE void tinyc_wdiv_i16(const int16_t *x, const void *y, void *out, int y_bytes, int count, int n, int repeat,
                                 int x_zero, int y_zero, int32_t factor, int places, int zero, int low, int high,
                                 int to)
{
    for (int k = 0; k < count; ++k) {
        for (int i = 0; i < n; ++i) {
            const int at = k * n + i;
            const int32_t v = x[at] - x_zero;
            const int32_t by = tinyc_element_wide(y, repeat ? i : at, y_bytes) - y_zero;
            int64_t result = v > 0 ? 32768 : v < 0 ? -32768 : 0;
            if (by != 0) {
                result = (((int64_t)v * factor / by + (1 << (places - 1))) >> places) + zero;
            }
            tinyc_put_wide(out, at, result < low ? low : result > high ? high : (int32_t)result, to);
        }
    }
}

#endif
