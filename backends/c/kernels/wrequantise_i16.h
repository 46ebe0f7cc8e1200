#ifndef TINYC_WREQUANTISE_I16_H
#define TINYC_WREQUANTISE_I16_H

#include "common.h"
#include "narrow_wide.h"
#include "put_wide.h"

/* n integers of another scale or type: less their zero point, requantised. `form` is as in tinyc_narrow_wide, results
 * have `to` bytes. `out` may be x, if it has as many.
 */
TINYC_INLINE void tinyc_wrequantise_i16(const int16_t *x, void *out, int n, int x_zero, int32_t multiplier, int shift,
                                        int zero, int low, int high, int form, int to)
{
    for (int i = 0; i < n; ++i) {
        tinyc_put_wide(out, i, tinyc_narrow_wide(x[i] - x_zero, multiplier, shift, zero, low, high, form), to);
    }
}

#endif
