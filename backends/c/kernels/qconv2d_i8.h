#ifndef TINYC_QCONV2D_I8_H
#define TINYC_QCONV2D_I8_H

#include "common.h"
#include "qtile_i8.h"

/* `lanes` output channels of one row: see tinyc_qconv2d_i8. */
TINYC_INLINE void tinyc_qconv2d_lanes_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const int32_t *bias,
                                         const int32_t *multiplier, const int8_t *shift, int8_t *restrict out,
                                         int lanes, int skip, int width, int channels, int inputs, int out_width,
                                         int outputs, int kh, int kw, int stride, int dilation, int left, int zero,
                                         int low, int high, int small)
{
    const int reach = (kw - 1) * dilation;
    /* A window row whose pixels touch each other is one run. */
    const int whole = dilation == 1 && inputs == channels;
    const int border = left > 0 || (out_width - 1) * stride - left + reach >= width;
    int x = 0;
    while (x < out_width) {
        const int first = x * stride - left;
        int8_t *const to = out + x * outputs;
        if (x + 4 <= out_width && (!border || (first >= 0 && first + 3 * stride + reach < width))) {
            tinyc_qtile_i8(rows, pad, w, bias, multiplier, shift, to, lanes, 4, 0, first * channels, skip,
                           stride * channels, 0, kh, whole ? 1 : kw, dilation * channels, whole ? kw * inputs : inputs,
                           outputs, zero, low, high, small);
            x += 4;
        } else {
            const int runs = border || !whole;
            tinyc_qtile_i8(rows, pad, w, bias, multiplier, shift, to, lanes, 1, border, first * channels, skip, 0,
                           width * channels, kh, runs ? kw : 1, dilation * channels, runs ? inputs : kw * inputs, 0,
                           zero, low, high, small);
            x += 1;
        }
    }
}

/* One output row of a convolution from kh input rows; `left` columns of the zero point in `pad` lie before each.
 *
 * Weights come, for each group, in blocks of four output channels and a last one of the one to three left over, the
 * lanes of a block interleaved: [kh][kw][inputs][lanes]. Multiplier and shift have one entry an output channel; `small`
 * as in tinyc_narrow_i8. Output channels are the outer loop, so that a row needs each weight once.
 */
TINYC_INLINE void tinyc_qconv2d_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const int32_t *bias,
                                   const int32_t *multiplier, const int8_t *shift, int8_t *restrict out, int width,
                                   int channels, int out_width, int outputs, int kh, int kw, int stride, int dilation,
                                   int left, int groups, int zero, int low, int high, int small)
{
    const int inputs = channels / groups;
    const int each = outputs / groups;
    const int rest = each % 4;
    for (int g = 0; g < groups; ++g) {
        int o = g * each;
        for (; o + 4 <= g * each + each; o += 4) {
            tinyc_qconv2d_lanes_i8(rows, pad, w + o * kh * kw * inputs, bias + o, multiplier + o, shift + o, out + o,
                                   4, g * inputs, width, channels, inputs, out_width, outputs, kh, kw, stride,
                                   dilation, left, zero, low, high, small);
        }
        if (rest != 0) {
            tinyc_qconv2d_lanes_i8(rows, pad, w + o * kh * kw * inputs, bias + o, multiplier + o, shift + o, out + o,
                                   rest, g * inputs, width, channels, inputs, out_width, outputs, kh, kw, stride,
                                   dilation, left, zero, low, high, small);
        }
    }
}

#endif
