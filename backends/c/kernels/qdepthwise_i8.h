#ifndef TINYC_QDEPTHWISE_I8_H
#define TINYC_QDEPTHWISE_I8_H

#include "channel_i8.h"
#include "common.h"
#include "narrow_i8.h"
#include "shift_i8.h"

/* One pixel of a depthwise row: see tinyc_qdepthwise_i8. With `border`, columns outside the row are read from pad. */
TINYC_INLINE void tinyc_qdepthwise_pixel_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const void *bias,
                                            const void *multiplier, const int8_t *shift, int8_t *restrict out,
                                            int border, int first, int width, int channels, int each, int kh, int kw,
                                            int dilation, int zero, int low, int high, int shifts, int form)
{
    const int outputs = channels * each;
    for (int c = 0; c < channels; ++c) {
        for (int m = 0; m < each; ++m) {
            const int o = c * each + m;
            int32_t sum = tinyc_bias_i8(bias, o, shifts, form);
            for (int ky = 0; ky < kh; ++ky) {
                for (int kx = 0; kx < kw; ++kx) {
                    const int x = first + kx * dilation;
                    const int8_t *p = border && (x < 0 || x >= width) ? pad : rows[ky] + x * channels;
                    sum += p[c] * w[(ky * kw + kx) * outputs + o];
                }
            }
            out[o] = tinyc_narrow_i8(sum, tinyc_multiplier_i8(multiplier, o, shifts, form),
                                     tinyc_shift_i8(shift, o, form), zero, low, high, form);
        }
    }
}

/* One output row of a depthwise convolution from kh input rows; `left` columns of the zero point in `pad` lie before
 * each. Weights are [kh][kw][channels * each]; output channel c * each + m sees input channel c. Bias, multiplier and
 * shift have one entry an output channel (see channel_i8.h for `shifts`); `form` as in tinyc_narrow_i8.
 */
TINYC_INLINE void tinyc_qdepthwise_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const void *bias,
                                      const void *multiplier, const int8_t *shift, int8_t *restrict out, int width,
                                      int channels, int out_width, int each, int kh, int kw, int stride, int dilation,
                                      int left, int zero, int low, int high, int shifts, int form)
{
    const int reach = (kw - 1) * dilation;
    const int border = left > 0 || (out_width - 1) * stride - left + reach >= width;
    for (int x = 0; x < out_width; ++x) {
        const int first = x * stride - left;
        int8_t *const to = out + x * channels * each;
        if (!border || (first >= 0 && first + reach < width)) {
            tinyc_qdepthwise_pixel_i8(rows, pad, w, bias, multiplier, shift, to, 0, first, width, channels, each, kh,
                                      kw, dilation, zero, low, high, shifts, form);
        } else {
            tinyc_qdepthwise_pixel_i8(rows, pad, w, bias, multiplier, shift, to, 1, first, width, channels, each, kh,
                                      kw, dilation, zero, low, high, shifts, form);
        }
    }
}

#endif
