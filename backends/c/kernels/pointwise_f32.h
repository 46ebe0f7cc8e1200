#ifndef TINYC_POINTWISE_F32_H
#define TINYC_POINTWISE_F32_H

#include "common.h"
#include "tile_f32.h"

/* `lanes` output channels of all pixels: see tinyc_pointwise_f32. */
TINYC_INLINE void tinyc_pointwise_lanes_f32(const float *x, const float *w, const float *bias, float *restrict out,
                                            int lanes, int pixels, int inputs, int outputs, int lane_step,
                                            int element_step, int has_bias, float low, float high)
{
    int p = 0;
    for (; p + 2 <= pixels; p += 2) {
        tinyc_tile_f32(&x, x, w, bias, out + p * outputs, lanes, 1, 0, p * inputs, 0, inputs, 0, 1, 1, 0, inputs,
                       lane_step, element_step, has_bias, outputs, low, high);
    }
    if (pixels % 2 != 0) {
        tinyc_tile_f32(&x, x, w, bias, out + p * outputs, lanes, 0, 0, p * inputs, 0, 0, 0, 1, 1, 0, inputs, lane_step,
                       element_step, has_bias, 0, low, high);
    }
}

/* A 1x1 convolution of `pixels` pixels, or a dense layer on as many rows.
 *
 * Weights come in blocks of four output channels and a last one of the one to three left over. Packed, the lanes of a
 * block are interleaved; otherwise weights are [outputs][inputs].
 */
TINYC_INLINE void tinyc_pointwise_f32(const float *x, const float *w, const float *bias, float *restrict out,
                                      int pixels, int inputs, int outputs, int packed, int has_bias, float low,
                                      float high)
{
    const int rest = outputs % 4;
    int o = 0;
    for (; o + 4 <= outputs; o += 4) {
        tinyc_pointwise_lanes_f32(x, w + o * inputs, has_bias ? bias + o : bias, out + o, 4, pixels, inputs, outputs,
                                  packed ? 1 : inputs, packed ? 4 : 1, has_bias, low, high);
    }
    if (rest != 0) {
        tinyc_pointwise_lanes_f32(x, w + o * inputs, has_bias ? bias + o : bias, out + o, rest, pixels, inputs,
                                  outputs, packed ? 1 : inputs, packed ? rest : 1, has_bias, low, high);
    }
}

#endif
