#ifndef TINYC_CONV2D_F32_H
#define TINYC_CONV2D_F32_H

#include "common.h"
#include "tile_f32.h"

/* `lanes` output channels of one row: see tinyc_conv2d_f32. */
TINYC_INLINE void tinyc_conv2d_lanes_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                         float *restrict out, int lanes, int skip, int width, int channels,
                                         int inputs, int out_width, int outputs, int kh, int kw, int stride,
                                         int dilation, int left, int before, int tile, int overlap, int larger,
                                         int smaller, int turn, int packed, int has_bias, float low, float high)
{
    const int lane_step = packed ? 1 : kh * kw * inputs;
    const int element_step = packed ? lanes : 1;
    /* A window row whose pixels touch each other is one run. */
    const int whole = dilation == 1 && inputs == channels;
    const int runs = whole ? 1 : kw;
    const int run = whole ? kw * inputs : inputs;
    const int step = dilation * channels;
    const int head = turn > 1 && run <= 8 ? run : run % turn;
    const int border_head = turn > 1 && inputs <= 8 ? inputs : inputs % turn;
    const int after = before + larger * tile - overlap + smaller * (tile - 1);
    int x = before;
    for (int k = 0; k < larger; ++k) {
        tinyc_tile_f32(rows, pad, w, bias, out + x * outputs, lanes, tile, 0, (x * stride - left) * channels, skip,
                       stride * channels, 0, kh, runs, step, run, head, turn, lane_step, element_step, has_bias,
                       outputs, low, high);
        x += k == 0 ? tile - overlap : tile;
    }
    for (int k = 0; k < smaller; ++k) {
        tinyc_tile_f32(rows, pad, w, bias, out + x * outputs, lanes, tile - 1, 0, (x * stride - left) * channels,
                       skip, stride * channels, 0, kh, runs, step, run, head, turn, lane_step, element_step,
                       has_bias, outputs, low, high);
        x += tile - 1;
    }
    /* The pixels before and after those. */
    for (x = before > 0 ? 0 : after; x < out_width; x = x + 1 == before ? after : x + 1) {
        tinyc_tile_f32(rows, pad, w, bias, out + x * outputs, lanes, 1, 1, (x * stride - left) * channels, skip, 0,
                       width * channels, kh, kw, step, inputs, border_head, turn, lane_step, element_step, has_bias,
                       0, low, high);
    }
}

/* One output row of a convolution from kh input rows; `left` columns of the value in `pad` lie before each. `before`
 * pixels of the output reach into these; then come `larger` tiles of `tile` pixels, of which the second begins
 * `overlap` pixels before the first ends, and `smaller` tiles of one less; and then those that reach into columns on
 * the right. See tinyc_tile_f32 for `turn`.
 *
 * Weights come, for each group, in blocks of four output channels and a last one of the one to three left over.
 * Packed, the lanes of a block are interleaved: [kh][kw][inputs][lanes]. Otherwise weights are
 * [outputs][kh][kw][inputs].
 * Output channels are the outer loop, so that a row needs each weight once.
 */
TINYC_INLINE void tinyc_conv2d_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                   float *restrict out, int width, int channels, int out_width, int outputs, int kh,
                                   int kw, int stride, int dilation, int left, int groups, int before, int tile,
                                   int overlap, int larger, int smaller, int turn, int packed, int has_bias,
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
                                   left, before, tile, overlap, larger, smaller, turn, packed, has_bias, low, high);
        }
        if (rest != 0) {
            tinyc_conv2d_lanes_f32(rows, pad, w + o * kh * kw * inputs, has_bias ? bias + o : bias, out + o, rest,
                                   g * inputs, width, channels, inputs, out_width, outputs, kh, kw, stride, dilation,
                                   left, before, tile, overlap, larger, smaller, turn, packed, has_bias, low, high);
        }
    }
}

#endif
