#ifndef TINYC_WADD_I16_H
#define TINYC_WADD_I16_H

#include "common.h"
#include "element_wide.h"
#include "narrow_wide.h"
#include "put_wide.h"
#include "requantise_i32.h"

/* n sums of two values of different scales, of which one or the result is int16: as tinyc_qadd_i8. y has `y_bytes`
 * bytes an element, results `to`. `out` may be x or y, if it has as many.
 */
TINYC_INLINE void tinyc_wadd_i16(const int16_t *x, const void *y, void *out, int y_bytes, int n, int unit, int x_zero,
                                 int32_t x_multiplier, int x_shift, int y_zero, int32_t y_multiplier, int y_shift,
                                 int32_t multiplier, int shift, int zero, int low, int high, int to)
{
    for (int i = 0; i < n; ++i) {
        const int32_t v = tinyc_element_wide(y, i, y_bytes);
        const int32_t a = tinyc_requantise_i32((x[i] - x_zero) * unit, x_multiplier, x_shift);
        const int32_t b = tinyc_requantise_i32((v - y_zero) * unit, y_multiplier, y_shift);
        tinyc_put_wide(out, i, tinyc_narrow_wide(a + b, multiplier, shift, zero, low, high, 0), to);
    }
}

#endif
