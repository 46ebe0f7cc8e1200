#ifndef TINYC_QSTORE_I8_H
#define TINYC_QSTORE_I8_H

#include "common.h"
#include "narrow_i8.h"
#include "shift_i8.h"

/* Writes the results of one output channel, `lane` from those that the pointers point at, for `pixels` (1 to 4) pixels
 * whose results lie `next` apart.
 */
TINYC_INLINE void tinyc_qstore_i8(int8_t *out, int pixels, int next, int32_t a, int32_t b, int32_t c, int32_t d,
                                  const int32_t *multiplier, const int8_t *shift, int lane, int zero, int low, int high,
                                  int form)
{
    const int32_t factor = multiplier[lane];
    const int places = tinyc_shift_i8(shift, lane, form);
    out[lane] = tinyc_narrow_i8(a, factor, places, zero, low, high, form);
    if (pixels > 1) {
        out[next + lane] = tinyc_narrow_i8(b, factor, places, zero, low, high, form);
    }
    if (pixels > 2) {
        out[2 * next + lane] = tinyc_narrow_i8(c, factor, places, zero, low, high, form);
    }
    if (pixels > 3) {
        out[3 * next + lane] = tinyc_narrow_i8(d, factor, places, zero, low, high, form);
    }
}

#endif
