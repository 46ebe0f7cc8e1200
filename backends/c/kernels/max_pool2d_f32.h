#ifndef TINYC_MAX_POOL2D_F32_H
#define TINYC_MAX_POOL2D_F32_H

#include "common.h"
#include "reduce_max_f32.h"
#include "window_columns.h"

/* The largest of `count` rows by the columns from, from + dilation, ..., before `to`, for each channel. */
TINYC_INLINE void tinyc_max_pixel_f32(const float **rows, float *restrict out, int count, int from, int to,
                                      int dilation, int channels)
{
    for (int c = 0; c < channels; ++c) {
        float found = rows[0][from * channels + c];
        for (int k = 0; k < count; ++k) {
            for (int x = from; x < to; x += dilation) {
                found = tinyc_reduce_max_f32(found, rows[k][x * channels + c]);
            }
        }
        out[c] = found;
    }
}

/* One output row of a max pooling from the `count` input rows that exist. Columns outside 0..width-1 take no part. */
TINYC_INLINE void tinyc_max_pool2d_f32(const float **rows, int count, float *restrict out, int width, int channels,
                                       int out_width, int kw, int stride, int dilation, int left)
{
    const int extent = (kw - 1) * dilation + 1;
    const int border = left > 0 || (out_width - 1) * stride - left + extent > width;
    for (int x = 0; x < out_width; ++x) {
        const int first = x * stride - left;
        if (!border || (first >= 0 && first + extent <= width)) {
            tinyc_max_pixel_f32(rows, out + x * channels, count, first, first + extent, dilation, channels);
        } else {
            const int from = tinyc_window_from(first, dilation);
            const int to = tinyc_window_end(first, extent, width);
            tinyc_max_pixel_f32(rows, out + x * channels, count, from, to, dilation, channels);
        }
    }
}

#endif
