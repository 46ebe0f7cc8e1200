#ifndef TINYC_DEPTHWISE3X3_F32_H
#define TINYC_DEPTHWISE3X3_F32_H

#include "clamp_f32.h"
#include "column_f32.h"
#include "common.h"
#include "pixel_f32.h"
#include "slide_columns_f32.h"
#include "slide_f32.h"
#include "unscheduled.h"

/* One output row of a 3x3 depthwise convolution of stride 1, one output channel for each input channel.
 *
 * A channel's nine weights stay in registers while its columns pass by. Each column is read once and added to the
 * sums of the three outputs it belongs to. So there are 3 loads for 9 products. Up to 2 columns `left` of a row are
 * read from `pad`, and so are those right of it. `out` may be one of the rows: a column is read before the output in
 * its place is written.
 */
TINYC_INLINE void tinyc_depthwise3x3_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                         float *out, int width, int channels, int out_width, int left, int block,
                                         int has_bias, float low, float high)
{
    /* What is written could otherwise be thought to change the pointers. */
    const float *const top = rows[0], *const middle = rows[1], *const bottom = rows[2];
    /* The outputs whose last column lies in the row. */
    const int fitting = width + left - 2 < out_width ? width + left - 2 : out_width;
    for (int c = 0; c < channels; ++c) {
        tinyc_column_f32 v[3];
        tinyc_window_f32(v, w + c, channels);
        const float start = has_bias ? bias[c] : 0.0f;
        float *to = out + c;
        const tinyc_column_f32 zeroth = {tinyc_pixel_f32(top, pad, -left, width, channels)[c],
                                         tinyc_pixel_f32(middle, pad, -left, width, channels)[c],
                                         tinyc_pixel_f32(bottom, pad, -left, width, channels)[c]};
        tinyc_open_f32 open = {start, tinyc_add_column_f32(start, zeroth, v[0])};
        (void)tinyc_slide_f32(&open, tinyc_pixel_f32(top, pad, 1 - left, width, channels)[c],
                              tinyc_pixel_f32(middle, pad, 1 - left, width, channels)[c],
                              tinyc_pixel_f32(bottom, pad, 1 - left, width, channels)[c], v, start);
        const float *t = top + (2 - left) * channels + c;
        const float *m = middle + (2 - left) * channels + c;
        const float *b = bottom + (2 - left) * channels + c;
        int x = 0;
        for (; block == 4 && x + 4 <= fitting; x += 4) {
            const float p = tinyc_slide_f32(&open, t[0], m[0], b[0], v, start);
            const float q = tinyc_slide_f32(&open, t[channels], m[channels], b[channels], v, start);
            const float r = tinyc_slide_f32(&open, t[2 * channels], m[2 * channels], b[2 * channels], v, start);
            const float s = tinyc_slide_f32(&open, t[3 * channels], m[3 * channels], b[3 * channels], v, start);
            tinyc_store_four_f32(to, channels, p, q, r, s, low, high);
            t += 4 * channels;
            m += 4 * channels;
            b += 4 * channels;
            to += 4 * channels;
        }
        x = tinyc_slide_columns_f32(&open, &t, &m, &b, &to, x, fitting, channels, v, start, low, high);
        for (; x < out_width; ++x) {
            *to = tinyc_clamp_f32(tinyc_slide_f32(&open, pad[c], pad[c], pad[c], v, start), low, high);
            to += channels;
        }
    }
}

#endif
