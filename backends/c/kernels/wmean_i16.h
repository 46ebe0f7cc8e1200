#ifndef TINYC_WMEAN_I16_H
#define TINYC_WMEAN_I16_H

#include "common.h"
#include "narrow_wide.h"
#include "put_wide.h"

/* For each of `count` images the sums over all pixels of each channel, less the zero point as often as there are
 * pixels, requantised, where operand or result is int16. `form` is as in tinyc_narrow_wide, results have `to` bytes.
 */
TINYC_INLINE void tinyc_wmean_i16(const int16_t *x, void *out, int count, int pixels, int channels, int x_zero,
                                  int32_t multiplier, int shift, int zero, int low, int high, int form, int to)
{
    for (int k = 0; k < count; ++k) {
        for (int c = 0; c < channels; ++c) {
            int64_t sum = 0;
            for (int i = 0; i < pixels; ++i) {
                sum += x[i * channels + c] - x_zero;
            }
            tinyc_put_wide(out, k * channels + c, tinyc_narrow_wide(sum, multiplier, shift, zero, low, high, form), to);
        }
        x += pixels * channels;
    }
}

#endif
