#ifndef TINYC_CONV2D_F32_H
#define TINYC_CONV2D_F32_H

#include "common.h"
#include "tile_f32.h"

/* `lanes` output channels of one row: see tinyc_conv2d_f32. */
TINYC_INLINE void tinyc_conv2d_lanes_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                         float *restrict out, int lanes, int skip, int width, int channels,
                                         int inputs, int out_width, int outputs, int kh, int kw, int stride,
                                         int dilation, int left, int packed, int has_bias, float low, float high)
{
    const int reach = (kw - 1) * dilation;
    const int lane_step = packed ? 1 : kh * kw * inputs;
    const int element_step = packed ? lanes : 1;
    /* A window row whose pixels touch each other is one run. */
    const int whole = dilation == 1 && inputs == channels;
    const int border = left > 0 || (out_width - 1) * stride - left + reach >= width;
    int x = 0;
    while (x < out_width) {
        const int first = x * stride - left;
        float *const to = out + x * outputs;
        if (x + 2 <= out_width && (!border || (first >= 0 && first + stride + reach < width))) {
            tinyc_tile_f32(rows, pad, w, bias, to, lanes, 1, 0, first * channels, skip, stride * channels, 0, kh,
                           whole ? 1 : kw, dilation * channels, whole ? kw * inputs : inputs, lane_step, element_step,
                           has_bias, outputs, low, high);
            x += 2;
        } else {
            const int runs = border || !whole;
            tinyc_tile_f32(rows, pad, w, bias, to, lanes, 0, border, first * channels, skip, 0, width * channels, kh,
                           runs ? kw : 1, dilation * channels, runs ? inputs : kw * inputs, lane_step, element_step,
                           has_bias, 0, low, high);
            x += 1;
        }
    }
}

/* One output row of a convolution from kh input rows; `left` columns of the value in `pad` lie before each.
 *
 * Weights come, for each group, in blocks of four output channels and a last one of the one to three left over.
 * Packed, the lanes of a block are interleaved: [kh][kw][inputs][lanes]. Otherwise weights are
 * [outputs][kh][kw][inputs].
 * Output channels are the outer loop, so that a row needs each weight once.
 */
TINYC_INLINE void tinyc_conv2d_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                   float *restrict out, int width, int channels, int out_width, int outputs, int kh,
                                   int kw, int stride, int dilation, int left, int groups, int packed, int has_bias,
                                   float low, float high)
{
    const int inputs = channels / groups;
    const int each = outputs / groups;
    const int rest = each % 4;
    for (int g = 0; g < groups; ++g) {
        int o = g * each;
        for (; o + 4 <= g * each + each; o += 4) {
            tinyc_conv2d_lanes_f32(rows, pad, w + o * kh * kw * inputs, has_bias ? bias + o : bias, out + o, 4,
                                   g * inputs, width, channels, inputs, out_width, outputs, kh, kw, stride, dilation,
                                   left, packed, has_bias, low, high);
        }
        if (rest != 0) {
            tinyc_conv2d_lanes_f32(rows, pad, w + o * kh * kw * inputs, has_bias ? bias + o : bias, out + o, rest,
                                   g * inputs, width, channels, inputs, out_width, outputs, kh, kw, stride, dilation,
                                   left, packed, has_bias, low, high);
        }
    }
}

#endif
