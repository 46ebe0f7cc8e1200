#ifndef TINYC_DEPTHWISE3X3_F32_H
#define TINYC_DEPTHWISE3X3_F32_H

#include "clamp_f32.h"
#include "common.h"
#include "pixel_f32.h"

/* One output row of a 3x3 depthwise convolution of stride 1, one output channel for each input channel.
 *
 * A channel's nine weights stay in registers while its columns pass by. Each column is read once and added to the
 * sums of the three outputs it belongs to: `sum` is the output it completes, `later` the one after that, and a third
 * begins with it. So there are 3 loads for 9 products. Up to 2 columns `left` of a row are read from `pad`, and so
 * are those right of it. `out` may be one of the rows: a column is read before the output in its place is written.
 */
TINYC_INLINE void tinyc_depthwise3x3_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                         float *out, int width, int channels, int out_width, int left,
                                         int has_bias, float low, float high)
{
    /* What is written could otherwise be thought to change the pointers. */
    const float *const top = rows[0], *const middle = rows[1], *const bottom = rows[2];
    /* The outputs whose last column lies in the row. */
    const int fitting = width + left - 2 < out_width ? width + left - 2 : out_width;
    for (int c = 0; c < channels; ++c) {
        const float w0 = w[c], w1 = w[channels + c], w2 = w[2 * channels + c];
        const float w3 = w[3 * channels + c], w4 = w[4 * channels + c], w5 = w[5 * channels + c];
        const float w6 = w[6 * channels + c], w7 = w[7 * channels + c], w8 = w[8 * channels + c];
        const float start = has_bias ? bias[c] : 0.0f;
        float *to = out + c;
        float t = tinyc_pixel_f32(top, pad, -left, width, channels)[c];
        float m = tinyc_pixel_f32(middle, pad, -left, width, channels)[c];
        float b = tinyc_pixel_f32(bottom, pad, -left, width, channels)[c];
        float sum = start + t * w0 + m * w3 + b * w6;
        float later;
        int x = 0;
        t = tinyc_pixel_f32(top, pad, 1 - left, width, channels)[c];
        m = tinyc_pixel_f32(middle, pad, 1 - left, width, channels)[c];
        b = tinyc_pixel_f32(bottom, pad, 1 - left, width, channels)[c];
        sum += t * w1 + m * w4 + b * w7;
        later = start + t * w0 + m * w3 + b * w6;
        for (; x < fitting; ++x) {
            const int at = (x + 2 - left) * channels + c;
            t = top[at];
            m = middle[at];
            b = bottom[at];
            *to = tinyc_clamp_f32(sum + t * w2 + m * w5 + b * w8, low, high);
            sum = later + t * w1 + m * w4 + b * w7;
            later = start + t * w0 + m * w3 + b * w6;
            to += channels;
        }
        for (; x < out_width; ++x) {
            t = pad[c];
            *to = tinyc_clamp_f32(sum + t * w2 + t * w5 + t * w8, low, high);
            sum = later + t * w1 + t * w4 + t * w7;
            later = start + t * w0 + t * w3 + t * w6;
            to += channels;
        }
    }
}

#endif
