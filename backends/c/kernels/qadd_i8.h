#ifndef TINYC_QADD_I8_H
#define TINYC_QADD_I8_H

#include "common.h"
#include "narrow_i8.h"
#include "requantise_i32.h"

/* n sums of two int8 values of different scales: each, less its zero point, times `unit` (a power of two) and
 * requantised; their sum requantised again. All shifts are at most 0. `out` may be x or y.
 */
TINYC_INLINE void tinyc_qadd_i8(const int8_t *x, const int8_t *y, int8_t *out, int n, int unit, int x_zero,
                                int32_t x_multiplier, int x_shift, int y_zero, int32_t y_multiplier, int y_shift,
                                int32_t multiplier, int shift, int zero, int low, int high)
{
    for (int i = 0; i < n; ++i) {
        const int32_t a = tinyc_requantise_i32((x[i] - x_zero) * unit, x_multiplier, x_shift);
        const int32_t b = tinyc_requantise_i32((y[i] - y_zero) * unit, y_multiplier, y_shift);
        out[i] = tinyc_narrow_i8(a + b, multiplier, shift, zero, low, high, 0);
    }
}

#endif
