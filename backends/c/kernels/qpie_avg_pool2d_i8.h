#ifndef TINYC_QPIE_AVG_POOL2D_I8_H
#define TINYC_QPIE_AVG_POOL2D_I8_H

#include "common.h"
#include "pie.h"
#include "pie_total_i8.h"
#include "pie_totals_i8.h"
#include "qmean_of_i8.h"
#include "window_columns.h"

/* As tinyc_qavg_pixel_i8, from some columns on. */
TINYC_INLINE void tinyc_qpie_average_i8(const int8_t **rows, int8_t *restrict out, int count, int from, int columns,
                                        int dilation, int channels, int places, int low, int high)
{
    const int there = count * columns;
    for (int skip = 0; skip < channels; skip += 16) {
        const int lanes = channels - skip < 16 ? channels - skip : 16;
        TINYC_ALIGNED16 int32_t sums[32] = {0};
        for (int k = 0; k < count; ++k) {
            tinyc_pie_total_i8(sums, rows[k] + from * channels + skip, dilation * channels, columns, lanes);
        }
        tinyc_pie_totals_i8(sums);
        for (int c = 0; c < lanes; ++c) {
            out[skip + c] = tinyc_qmean_of_i8(sums[c], there, places, low, high);
        }
    }
}

/* As tinyc_qavg_pool2d_i8, for fewer than 4096 pixels a window. */
TINYC_INLINE void tinyc_qpie_avg_pool2d_i8(const int8_t **rows, int count, int8_t *restrict out, int width,
                                           int channels, int out_width, int kw, int stride, int dilation, int left,
                                           int places, int low, int high)
{
    const int extent = (kw - 1) * dilation + 1;
    const int border = left > 0 || (out_width - 1) * stride - left + extent > width;
    for (int x = 0; x < out_width; ++x) {
        const int first = x * stride - left;
        int8_t *const to = out + x * channels;
        if (!border || (first >= 0 && first + extent <= width)) {
            tinyc_qpie_average_i8(rows, to, count, first, kw, dilation, channels, places, low, high);
        } else {
            const int from = tinyc_window_from(first, dilation);
            const int end = tinyc_window_end(first, extent, width);
            tinyc_qpie_average_i8(rows, to, count, from, (end - from + dilation - 1) / dilation, dilation, channels,
                                  places, low, high);
        }
    }
}

#endif
