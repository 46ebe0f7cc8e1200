#ifndef TINYC_POINTWISE_F32_H
#define TINYC_POINTWISE_F32_H

#include "common.h"
#include "tile_f32.h"

/* `lanes` output channels of all pixels: see tinyc_pointwise_f32. */
TINYC_INLINE void tinyc_pointwise_lanes_f32(const float *x, const float *w, const float *bias, float *restrict out,
                                            int lanes, int inputs, int outputs, int larger, int smaller, int tile,
                                            int overlap, int head, int turn, int lane_step, int element_step,
                                            int has_bias, float low, float high)
{
    for (int k = 0; k < larger; ++k) {
        const int next = k == 0 ? tile - overlap : tile;
        tinyc_tile_f32(&x, x, w, bias, out, lanes, tile, 0, 0, 0, inputs, 0, 1, 1, 0, inputs, head, turn, lane_step,
                       element_step, has_bias, outputs, low, high);
        x += next * inputs;
        out += next * outputs;
    }
    for (int k = 0; k < smaller; ++k) {
        tinyc_tile_f32(&x, x, w, bias, out, lanes, tile - 1, 0, 0, 0, inputs, 0, 1, 1, 0, inputs, head, turn,
                       lane_step, element_step, has_bias, outputs, low, high);
        x += (tile - 1) * inputs;
        out += (tile - 1) * outputs;
    }
}

/* A 1x1 convolution, or a dense layer on as many rows: `larger` tiles of `tile` pixels, of which the second begins
 * `overlap` pixels before the first ends, and then `smaller` tiles of one less.
 *
 * Weights come in blocks of four output channels and a last one of the `rest` left over. Packed, the lanes of a
 * block are interleaved; otherwise weights are [outputs][inputs]. See tinyc_tile_f32 for `head` and `turn`. Inputs,
 * outputs and the numbers of tiles need not be literals, so that layers may share the code.
 */
TINYC_INLINE void tinyc_pointwise_f32(const float *x, const float *w, const float *bias, float *restrict out,
                                      int inputs, int outputs, int larger, int smaller, int tile, int overlap, int head,
                                      int turn, int rest, int packed, int has_bias, float low, float high)
{
    int o = 0;
    for (; o + 4 <= outputs; o += 4) {
        tinyc_pointwise_lanes_f32(x, w + o * inputs, has_bias ? bias + o : bias, out + o, 4, inputs, outputs, larger,
                                  smaller, tile, overlap, head, turn, packed ? 1 : inputs, packed ? 4 : 1, has_bias,
                                  low, high);
    }
    if (rest != 0) {
        tinyc_pointwise_lanes_f32(x, w + o * inputs, has_bias ? bias + o : bias, out + o, rest, inputs, outputs,
                                  larger, smaller, tile, overlap, head, turn, packed ? 1 : inputs,
                                  packed ? rest : 1, has_bias, low, high);
    }
}

#endif
