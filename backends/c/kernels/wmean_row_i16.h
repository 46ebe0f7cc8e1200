#ifndef TINYC_WMEAN_ROW_I16_H
#define TINYC_WMEAN_ROW_I16_H

#include "common.h"
#include "gather_sums_i16.h"
#include "narrow_wide.h"
#include "put_wide.h"

/* One row more of a mean over rows and columns where operand or result is int16: as tinyc_qmean_row_i8. `form` is as in
 * tinyc_narrow_wide, results have `to` bytes.
 */
TINYC_INLINE void tinyc_wmean_row_i16(const int16_t *x, int first, int last, void *out, int pixels, int channels,
                                      int64_t offset, int32_t multiplier, int shift, int zero, int low, int high,
                                      int form, int to)
{
    int32_t *const sums = (int32_t *)out;
    tinyc_gather_sums_i16(x, first, sums, pixels, channels);
    for (int c = 0; last && c < channels; ++c) {
        tinyc_put_wide(out, c, tinyc_narrow_wide(sums[c] - offset, multiplier, shift, zero, low, high, form), to);
    }
}

#endif
