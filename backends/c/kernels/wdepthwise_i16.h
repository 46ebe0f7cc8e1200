#ifndef TINYC_WDEPTHWISE_I16_H
#define TINYC_WDEPTHWISE_I16_H

#include "bias_wide.h"
#include "common.h"
#include "narrow_wide.h"
#include "put_wide.h"

/* One output row of a depthwise convolution from kh input rows, where operand or result is int16: as
 * tinyc_qdepthwise_i8. `form` is as in tinyc_narrow_wide, results have `to` bytes.
 */
TINYC_INLINE void tinyc_wdepthwise_i16(const int16_t **rows, const int16_t *pad, const int8_t *w, const void *bias,
                                       const int32_t *multiplier, const int8_t *shift, void *out, int width,
                                       int channels, int out_width, int each, int kh, int kw, int stride, int dilation,
                                       int left, int zero, int low, int high, int form, int to)
{
    const int outputs = channels * each;
    for (int x = 0; x < out_width; ++x) {
        for (int o = 0; o < outputs; ++o) {
            const int c = o / each;
            int64_t sum = tinyc_bias_wide(bias, o, form);
            for (int ky = 0; ky < kh; ++ky) {
                for (int kx = 0; kx < kw; ++kx) {
                    const int at = x * stride - left + kx * dilation;
                    const int16_t *p = at < 0 || at >= width ? pad : rows[ky] + at * channels;
                    sum += p[c] * w[(ky * kw + kx) * outputs + o];
                }
            }
            tinyc_put_wide(
                out, x * outputs + o,
                tinyc_narrow_wide(sum, multiplier[o], tinyc_shift_wide(shift, o, form), zero, low, high, form), to);
        }
    }
}

#endif
