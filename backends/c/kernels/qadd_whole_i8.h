#ifndef TINYC_QADD_WHOLE_I8_H
#define TINYC_QADD_WHOLE_I8_H

#include "common.h"
#include "limit_i32.h"

/* The sum of two int8 values by whole factors: a * x + b * y + start, whose last `places` bits are cut off. In `start`
 * are the zero points, and the half that makes rounding of it. Nothing of it overflows.
 */
TINYC_INLINE int8_t tinyc_qadd_whole_at_i8(int32_t x, int32_t y, int32_t a, int32_t b, int32_t start, int places,
                                           int low, int high)
{
    return (int8_t)tinyc_limit_i32((x * a + y * b + start) >> places, low, high);
}

/* n such sums, four at a time. `out` may be x or y. */
TINYC_INLINE void tinyc_qadd_whole_i8(const int8_t *x, const int8_t *y, int8_t *out, int n, int32_t a, int32_t b,
                                      int32_t start, int places, int low, int high)
{
    const int8_t *const last = x + n / 4 * 4;
    while (x != last) {
        out[0] = tinyc_qadd_whole_at_i8(x[0], y[0], a, b, start, places, low, high);
        out[1] = tinyc_qadd_whole_at_i8(x[1], y[1], a, b, start, places, low, high);
        out[2] = tinyc_qadd_whole_at_i8(x[2], y[2], a, b, start, places, low, high);
        out[3] = tinyc_qadd_whole_at_i8(x[3], y[3], a, b, start, places, low, high);
        x += 4;
        y += 4;
        out += 4;
    }
    for (int i = 0; i < n % 4; ++i) {
        out[i] = tinyc_qadd_whole_at_i8(x[i], y[i], a, b, start, places, low, high);
    }
}

#endif
