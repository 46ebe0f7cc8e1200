#ifndef TINYC_WPRELU_I16_H
#define TINYC_WPRELU_I16_H

#include "common.h"
#include "narrow_wide.h"
#include "put_wide.h"

/* `count` times n rectified values, where operand or result is int16: less their zero point, times `above` or, below
 * it, the factor of the channel, requantised. `form` is as in tinyc_narrow_wide, results have `to` bytes. `out` may be
 * x, if it has as many. Factors are `short` since int16_t is x's type, whatever that is.
 */
TINYC_INLINE void tinyc_wprelu_i16(const int16_t *x, const short *below, void *out, int count, int n, int x_zero,
                                   int above, int32_t multiplier, int shift, int zero, int low, int high, int form,
                                   int to)
{
    for (int k = 0; k < count; ++k) {
        for (int c = 0; c < n; ++c) {
            const int32_t d = x[k * n + c] - x_zero;
            const int32_t slope = d < 0 ? below[c] : above;
            const int64_t product = form == 5 ? (int64_t)d * slope : d * slope;
            tinyc_put_wide(out, k * n + c, tinyc_narrow_wide(product, multiplier, shift, zero, low, high, form), to);
        }
    }
}

#endif
