#ifndef TINYC_QAVG_ROW_I8_H
#define TINYC_QAVG_ROW_I8_H

#include "common.h"
#include "gather_sums_i8.h"
#include "qmean_of_i8.h"

/* One row more of an average over all rows and columns, `there` pixels: its memory holds a sum for each channel, and
 * after the last row the averages. These lie over sums that are read by then.
 */
TINYC_INLINE void tinyc_qavg_row_i8(const int8_t *x, int first, int last, int8_t *out, int pixels, int channels,
                                    int there, int places, int low, int high)
{
    int32_t *const sums = (int32_t *)(void *)out;
    tinyc_gather_sums_i8(x, first, sums, pixels, channels);
    for (int c = 0; last && c < channels; ++c) {
        out[c] = tinyc_qmean_of_i8(sums[c], there, places, low, high);
    }
}

#endif
