#ifndef TINYC_WPOINTWISE_I16_H
#define TINYC_WPOINTWISE_I16_H

#include "common.h"
#include "wtile_i16.h"

/* `lanes` output channels, `channel` the first, of all pixels: see tinyc_wpointwise_i16. */
TINYC_INLINE void tinyc_wpointwise_lanes_i16(const int16_t *x, const int8_t *w, const void *bias,
                                             const int32_t *multiplier, const int8_t *shift, void *out, int channel,
                                             int lanes, int tiles, int tile, int spare, int inputs, int outputs,
                                             int zero, int low, int high, int form, int to)
{
    int out_at = channel;
    for (int k = 0; k < tiles; ++k) {
        tinyc_wtile_i16(&x, x, w, bias, multiplier, shift, out, channel, out_at, lanes, tile, 0, 0, 0, inputs, 0, 1, 1,
                        0, inputs, outputs, zero, low, high, form, to);
        x += tile * inputs;
        out_at += tile * outputs;
    }
    if (spare) {
        tinyc_wtile_i16(&x, x, w, bias, multiplier, shift, out, channel, out_at, lanes, spare, 0, 0, 0, inputs, 0, 1, 1,
                        0, inputs, outputs, zero, low, high, form, to);
    }
}

/* A 1x1 convolution, or a dense layer on as many rows as there are pixels, where operand or result is int16: `tiles`
 * times `tile` pixels that are computed together, and `spare` ones. Weights come as in tinyc_qpointwise_i8; `form` is
 * as in tinyc_narrow_wide, results have `to` bytes.
 */
TINYC_INLINE void tinyc_wpointwise_i16(const int16_t *x, const int8_t *w, const void *bias, const int32_t *multiplier,
                                       const int8_t *shift, void *out, int tiles, int tile, int spare, int inputs,
                                       int outputs, int rest, int zero, int low, int high, int form, int to)
{
    int channel = 0;
    while (channel != outputs - rest) {
        tinyc_wpointwise_lanes_i16(x, w, bias, multiplier, shift, out, channel, 4, tiles, tile, spare, inputs, outputs,
                                   zero, low, high, form, to);
        w += 4 * inputs;
        channel += 4;
    }
    if (rest) {
        tinyc_wpointwise_lanes_i16(x, w, bias, multiplier, shift, out, channel, rest, tiles, tile, spare, inputs,
                                   outputs, zero, low, high, form, to);
    }
}

#endif
