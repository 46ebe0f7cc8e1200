#ifndef TINYC_DEPTHWISE_F32_H
#define TINYC_DEPTHWISE_F32_H

#include "clamp_f32.h"
#include "common.h"
#include "multiply_add_f32.h"

/* One pixel of a depthwise row: see tinyc_depthwise_f32. With `border`, columns outside the row are read from pad. */
TINYC_INLINE void tinyc_depthwise_pixel_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                            float *restrict out, int border, int first, int width, int channels,
                                            int multiplier, int kh, int kw, int dilation, int has_bias, float low,
                                            float high)
{
    const int outputs = channels * multiplier;
    for (int c = 0; c < channels; ++c) {
        for (int m = 0; m < multiplier; ++m) {
            const int o = c * multiplier + m;
            float sum = has_bias ? bias[o] : 0.0f;
            for (int kx = 0; kx < kw; ++kx) {
                const int x = first + kx * dilation;
                const int outside = border && (x < 0 || x >= width);
                for (int ky = 0; ky < kh; ++ky) {
                    const float *p = outside ? pad : rows[ky] + x * channels;
                    sum = tinyc_multiply_add_f32(p[c], w[(ky * kw + kx) * outputs + o], sum);
                }
            }
            out[o] = tinyc_clamp_f32(sum, low, high);
        }
    }
}

/* One output row of a depthwise convolution from kh input rows; `left` columns of the value in `pad` lie before each.
 * Weights are [kh][kw][channels * multiplier]; output channel c * multiplier + m sees input channel c. Products are
 * summed column by column, as where three columns pass by.
 */
TINYC_INLINE void tinyc_depthwise_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                      float *restrict out, int width, int channels, int multiplier, int out_width,
                                      int kh, int kw, int stride, int dilation, int left, int has_bias, float low,
                                      float high)
{
    const int reach = (kw - 1) * dilation;
    const int border = left > 0 || (out_width - 1) * stride - left + reach >= width;
    for (int x = 0; x < out_width; ++x) {
        const int first = x * stride - left;
        float *const to = out + x * channels * multiplier;
        if (!border || (first >= 0 && first + reach < width)) {
            tinyc_depthwise_pixel_f32(rows, pad, w, bias, to, 0, first, width, channels, multiplier, kh, kw, dilation,
                                      has_bias, low, high);
        } else {
            tinyc_depthwise_pixel_f32(rows, pad, w, bias, to, 1, first, width, channels, multiplier, kh, kw, dilation,
                                      has_bias, low, high);
        }
    }
}

#endif
