#ifndef TINYC_QMEAN_I8_H
#define TINYC_QMEAN_I8_H

#include "common.h"
#include "narrow_i8.h"
#include "strided_sum_i8.h"

/* For each of `count` images the sums over all pixels of each channel, less the zero point as often as there are
 * pixels, requantised. `form` as in tinyc_narrow_i8.
 */
TINYC_INLINE void tinyc_qmean_i8(const int8_t *x, int8_t *restrict out, int count, int pixels, int channels,
                                 int x_zero, int32_t multiplier, int shift, int zero, int low, int high, int form)
{
    for (int k = 0; k < count; ++k) {
        for (int c = 0; c < channels; ++c) {
            const int32_t sum = tinyc_strided_sum_i8(x + c, pixels, channels) - pixels * x_zero;
            out[c] = tinyc_narrow_i8(sum, multiplier, shift, zero, low, high, form);
        }
        x += pixels * channels;
        out += channels;
    }
}

#endif
