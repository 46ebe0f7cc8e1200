#ifndef TINYC_QPOINTWISE_I8_H
#define TINYC_QPOINTWISE_I8_H

#include "common.h"
#include "qtile_i8.h"

/* `lanes` output channels of all pixels: see tinyc_qpointwise_i8. */
TINYC_INLINE void tinyc_qpointwise_lanes_i8(const int8_t *x, const int8_t *w, const int32_t *bias,
                                            const int32_t *multiplier, const int8_t *shift, int8_t *restrict out,
                                            int lanes, int pixels, int inputs, int outputs, int zero, int low,
                                            int high, int small)
{
    int p = 0;
    for (; p + 4 <= pixels; p += 4) {
        tinyc_qtile_i8(&x, x, w, bias, multiplier, shift, out + p * outputs, lanes, 4, 0, p * inputs, 0, inputs, 0, 1,
                       1, 0, inputs, outputs, zero, low, high, small);
    }
    if (pixels % 4 != 0) {
        tinyc_qtile_i8(&x, x, w, bias, multiplier, shift, out + p * outputs, lanes, pixels % 4, 0, p * inputs, 0,
                       inputs, 0, 1, 1, 0, inputs, outputs, zero, low, high, small);
    }
}

/* A 1x1 convolution of `pixels` pixels, or a dense layer on as many rows.
 *
 * Weights come in blocks of four output channels and a last one of the one to three left over, the lanes of a block
 * interleaved: [inputs][lanes]. Multiplier and shift have one entry an output channel; `small` as in tinyc_narrow_i8.
 */
TINYC_INLINE void tinyc_qpointwise_i8(const int8_t *x, const int8_t *w, const int32_t *bias, const int32_t *multiplier,
                                      const int8_t *shift, int8_t *restrict out, int pixels, int inputs, int outputs,
                                      int zero, int low, int high, int small)
{
    const int rest = outputs % 4;
    int o = 0;
    for (; o + 4 <= outputs; o += 4) {
        tinyc_qpointwise_lanes_i8(x, w + o * inputs, bias + o, multiplier + o, shift + o, out + o, 4, pixels, inputs,
                                  outputs, zero, low, high, small);
    }
    if (rest != 0) {
        tinyc_qpointwise_lanes_i8(x, w + o * inputs, bias + o, multiplier + o, shift + o, out + o, rest, pixels,
                                  inputs, outputs, zero, low, high, small);
    }
}

#endif
