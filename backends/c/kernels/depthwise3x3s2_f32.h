#ifndef TINYC_DEPTHWISE3X3S2_F32_H
#define TINYC_DEPTHWISE3X3S2_F32_H

#include "clamp_f32.h"
#include "common.h"
#include "pixel_f32.h"

/* As tinyc_depthwise3x3_f32, for stride 2 and at most 1 column `left`: each output's last column is the next one's
 * first, so there are 6 loads for 9 products. `sum` is the output that the next two columns complete.
 * `out` may be one of the rows.
 */
TINYC_INLINE void tinyc_depthwise3x3s2_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                           float *out, int width, int channels, int out_width, int left,
                                           int has_bias, float low, float high)
{
    /* What is written could otherwise be thought to change the pointers. */
    const float *const top = rows[0], *const middle = rows[1], *const bottom = rows[2];
    /* The outputs whose last column lies in the row. */
    const int most = width + left < 3 ? 0 : (width + left - 3) / 2 + 1;
    const int fitting = most < out_width ? most : out_width;
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
        int x = 0;
        for (; x < fitting; ++x) {
            const int at = (2 * x + 1 - left) * channels + c;
            sum += top[at] * w1 + middle[at] * w4 + bottom[at] * w7;
            t = top[at + channels];
            m = middle[at + channels];
            b = bottom[at + channels];
            *to = tinyc_clamp_f32(sum + t * w2 + m * w5 + b * w8, low, high);
            sum = start + t * w0 + m * w3 + b * w6;
            to += channels;
        }
        for (; x < out_width; ++x) {
            const int column = 2 * x + 1 - left;
            t = tinyc_pixel_f32(top, pad, column, width, channels)[c];
            m = tinyc_pixel_f32(middle, pad, column, width, channels)[c];
            b = tinyc_pixel_f32(bottom, pad, column, width, channels)[c];
            sum += t * w1 + m * w4 + b * w7;
            t = tinyc_pixel_f32(top, pad, column + 1, width, channels)[c];
            m = tinyc_pixel_f32(middle, pad, column + 1, width, channels)[c];
            b = tinyc_pixel_f32(bottom, pad, column + 1, width, channels)[c];
            *to = tinyc_clamp_f32(sum + t * w2 + m * w5 + b * w8, low, high);
            sum = start + t * w0 + m * w3 + b * w6;
            to += channels;
        }
    }
}

#endif
