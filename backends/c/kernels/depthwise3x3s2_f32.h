#ifndef TINYC_DEPTHWISE3X3S2_F32_H
#define TINYC_DEPTHWISE3X3S2_F32_H

#include "clamp_f32.h"
#include "column_f32.h"
#include "common.h"
#include "pixel_f32.h"
#include "stride_columns_f32.h"
#include "stride_f32.h"
#include "unscheduled.h"

/* As tinyc_depthwise3x3_f32, for stride 2 and at most 1 column `left`: each output's last column is the next one's
 * first, so there are 6 loads for 9 products. `sum` is the output that the next two columns complete.
 * `out` may be one of the rows.
 */
TINYC_INLINE void tinyc_depthwise3x3s2_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                           float *out, int width, int channels, int out_width, int left, int block,
                                           int has_bias, float low, float high)
{
    /* What is written could otherwise be thought to change the pointers. */
    const float *const top = rows[0], *const middle = rows[1], *const bottom = rows[2];
    /* The outputs whose last column lies in the row. */
    const int most = width + left < 3 ? 0 : (width + left - 3) / 2 + 1;
    const int fitting = most < out_width ? most : out_width;
    for (int c = 0; c < channels; ++c) {
        tinyc_column_f32 v[3];
        tinyc_window_f32(v, w + c, channels);
        const float start = has_bias ? bias[c] : 0.0f;
        float *to = out + c;
        const tinyc_column_f32 zeroth = {tinyc_pixel_f32(top, pad, -left, width, channels)[c],
                                         tinyc_pixel_f32(middle, pad, -left, width, channels)[c],
                                         tinyc_pixel_f32(bottom, pad, -left, width, channels)[c]};
        float sum = tinyc_add_column_f32(start, zeroth, v[0]);
        const float *t = top + (1 - left) * channels + c;
        const float *m = middle + (1 - left) * channels + c;
        const float *b = bottom + (1 - left) * channels + c;
        int x = 0;
        for (; block == 4 && x + 4 <= fitting; x += 4) {
            const float p = tinyc_stride_f32(&sum, tinyc_column_of_f32(t, m, b, 0),
                                             tinyc_column_of_f32(t, m, b, channels), v, start);
            const float q = tinyc_stride_f32(&sum, tinyc_column_of_f32(t, m, b, 2 * channels),
                                             tinyc_column_of_f32(t, m, b, 3 * channels), v, start);
            const float r = tinyc_stride_f32(&sum, tinyc_column_of_f32(t, m, b, 4 * channels),
                                             tinyc_column_of_f32(t, m, b, 5 * channels), v, start);
            const float s = tinyc_stride_f32(&sum, tinyc_column_of_f32(t, m, b, 6 * channels),
                                             tinyc_column_of_f32(t, m, b, 7 * channels), v, start);
            tinyc_store_four_f32(to, channels, p, q, r, s, low, high);
            t += 8 * channels;
            m += 8 * channels;
            b += 8 * channels;
            to += 4 * channels;
        }
        x = tinyc_stride_columns_f32(&sum, &t, &m, &b, &to, x, fitting, channels, v, start, low, high);
        for (; x < out_width; ++x) {
            const int column = 2 * x + 1 - left;
            const tinyc_column_f32 e = {tinyc_pixel_f32(top, pad, column, width, channels)[c],
                                        tinyc_pixel_f32(middle, pad, column, width, channels)[c],
                                        tinyc_pixel_f32(bottom, pad, column, width, channels)[c]};
            const tinyc_column_f32 f = {tinyc_pixel_f32(top, pad, column + 1, width, channels)[c],
                                        tinyc_pixel_f32(middle, pad, column + 1, width, channels)[c],
                                        tinyc_pixel_f32(bottom, pad, column + 1, width, channels)[c]};
            *to = tinyc_clamp_f32(tinyc_stride_f32(&sum, e, f, v, start), low, high);
            to += channels;
        }
    }
}

#endif
