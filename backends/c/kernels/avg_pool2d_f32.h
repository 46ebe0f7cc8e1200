#ifndef TINYC_AVG_POOL2D_F32_H
#define TINYC_AVG_POOL2D_F32_H

#include "common.h"
#include "window_columns.h"

/* The mean over `count` rows and the columns from, from + dilation, ..., before `to`, for each channel: their sum
 * divided by `divisor`, or where that is 0 by how many there are.
 */
TINYC_INLINE void tinyc_avg_pixel_f32(const float **rows, float *restrict out, int count, int from, int to,
                                      int dilation, int channels, int divisor)
{
    const int there = count * ((to - from + dilation - 1) / dilation);
    for (int c = 0; c < channels; ++c) {
        float sum = 0.0f;
        for (int k = 0; k < count; ++k) {
            for (int x = from; x < to; x += dilation) {
                sum += rows[k][x * channels + c];
            }
        }
        out[c] = sum / (float)(divisor ? divisor : there);
    }
}

/* One output row of an average pooling from `count` input rows. Columns outside 0..width-1 add nothing; they count
 * if `divisor`, the size of the window, says so.
 */
TINYC_INLINE void tinyc_avg_pool2d_f32(const float **rows, int count, float *restrict out, int width, int channels,
                                       int out_width, int kw, int stride, int dilation, int left, int divisor)
{
    const int extent = (kw - 1) * dilation + 1;
    const int border = left > 0 || (out_width - 1) * stride - left + extent > width;
    for (int x = 0; x < out_width; ++x) {
        const int first = x * stride - left;
        if (!border || (first >= 0 && first + extent <= width)) {
            tinyc_avg_pixel_f32(rows, out + x * channels, count, first, first + extent, dilation, channels, divisor);
        } else {
            const int from = tinyc_window_from(first, dilation);
            const int to = tinyc_window_end(first, extent, width);
            tinyc_avg_pixel_f32(rows, out + x * channels, count, from, to, dilation, channels, divisor);
        }
    }
}

#endif
