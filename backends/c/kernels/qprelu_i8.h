#ifndef TINYC_QPRELU_I8_H
#define TINYC_QPRELU_I8_H

#include "common.h"
#include "narrow_i8.h"

/* `count` times n int8 values less their zero point, multiplied by `above`, or where negative by their channel's entry
 * of `below`, requantised. `form` as in tinyc_narrow_i8. `out` may be x.
 */
TINYC_INLINE void tinyc_qprelu_i8(const int8_t *x, const int16_t *below, int8_t *out, int count, int n, int x_zero,
                                  int above, int32_t multiplier, int shift, int zero, int low, int high, int form)
{
    for (int k = 0; k < count; ++k) {
        const int8_t *const last = x + n;
        const int16_t *factor = below;
        while (x != last) {
            const int32_t difference = *x - x_zero;
            const int32_t product = difference * (difference < 0 ? *factor : above);
            *out = tinyc_narrow_i8(product, multiplier, shift, zero, low, high, form);
            ++x;
            ++factor;
            ++out;
        }
    }
}

#endif
