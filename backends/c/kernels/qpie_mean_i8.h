#ifndef TINYC_QPIE_MEAN_I8_H
#define TINYC_QPIE_MEAN_I8_H

#include "common.h"
#include "narrow_i8.h"
#include "pie.h"
#include "pie_total_i8.h"
#include "pie_totals_i8.h"

/* As tinyc_qmean_i8, for fewer than 4096 pixels. */
TINYC_INLINE void tinyc_qpie_mean_i8(const int8_t *x, int8_t *restrict out, int count, int pixels, int channels,
                                     int x_zero, int32_t multiplier, int shift, int zero, int low, int high, int form)
{
    for (int k = 0; k < count; ++k) {
        for (int skip = 0; skip < channels; skip += 16) {
            const int lanes = channels - skip < 16 ? channels - skip : 16;
            TINYC_ALIGNED16 int32_t sums[32] = {0};
            tinyc_pie_total_i8(sums, x + skip, channels, pixels, lanes);
            tinyc_pie_totals_i8(sums);
            for (int c = 0; c < lanes; ++c) {
                out[skip + c] =
                    tinyc_narrow_i8(sums[c] - pixels * x_zero, multiplier, shift, zero, low, high, form);
            }
        }
        x += pixels * channels;
        out += channels;
    }
}

#endif
