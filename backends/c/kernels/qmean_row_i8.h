#ifndef TINYC_QMEAN_ROW_I8_H
#define TINYC_QMEAN_ROW_I8_H

#include "common.h"
#include "gather_sums_i8.h"
#include "narrow_i8.h"

/* One row more of a mean over rows and columns: its memory holds a sum for each channel, and after the last row the
 * results. These lie over sums that are read by then. `offset` is the zero point as often as there are pixels in all
 * rows; `form` as in tinyc_narrow_i8.
 */
TINYC_INLINE void tinyc_qmean_row_i8(const int8_t *x, int first, int last, int8_t *out, int pixels, int channels,
                                     int offset, int32_t multiplier, int shift, int zero, int low, int high, int form)
{
    int32_t *const sums = (int32_t *)(void *)out;
    tinyc_gather_sums_i8(x, first, sums, pixels, channels);
    for (int c = 0; last && c < channels; ++c) {
        out[c] = tinyc_narrow_i8(sums[c] - offset, multiplier, shift, zero, low, high, form);
    }
}

#endif
