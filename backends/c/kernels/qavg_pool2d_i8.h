#ifndef TINYC_QAVG_POOL2D_I8_H
#define TINYC_QAVG_POOL2D_I8_H

#include "common.h"
#include "qmean_of_i8.h"
#include "strided_sum_i8.h"
#include "window_columns.h"

/* The mean over `count` rows and the columns from, from + dilation, ..., before `to`, for each channel, rounded half
 * away from zero and limited.
 */
TINYC_INLINE void tinyc_qavg_pixel_i8(const int8_t **rows, int8_t *restrict out, int count, int from, int to,
                                      int dilation, int channels, int places, int low, int high)
{
    const int columns = (to - from + dilation - 1) / dilation;
    const int there = count * columns;
    for (int c = 0; c < channels; ++c) {
        int32_t sum = 0;
        for (int k = 0; k < count; ++k) {
            sum += tinyc_strided_sum_i8(rows[k] + from * channels + c, columns, dilation * channels);
        }
        out[c] = tinyc_qmean_of_i8(sum, there, places, low, high);
    }
}

/* One output row of an average pooling from the `count` input rows that exist. Columns outside 0..width-1 take no part,
 * nor are they counted.
 */
TINYC_INLINE void tinyc_qavg_pool2d_i8(const int8_t **rows, int count, int8_t *restrict out, int width, int channels,
                                       int out_width, int kw, int stride, int dilation, int left, int places, int low,
                                       int high)
{
    const int extent = (kw - 1) * dilation + 1;
    const int border = left > 0 || (out_width - 1) * stride - left + extent > width;
    for (int x = 0; x < out_width; ++x) {
        const int first = x * stride - left;
        int8_t *const to = out + x * channels;
        if (!border || (first >= 0 && first + extent <= width)) {
            tinyc_qavg_pixel_i8(rows, to, count, first, first + extent, dilation, channels, places, low, high);
        } else {
            const int from = tinyc_window_from(first, dilation);
            const int end = tinyc_window_end(first, extent, width);
            tinyc_qavg_pixel_i8(rows, to, count, from, end, dilation, channels, places, low, high);
        }
    }
}

#endif
