#ifndef TINYC_WCONV2D_I16_H
#define TINYC_WCONV2D_I16_H

#include "common.h"
#include "wtile_i16.h"

/* `lanes` output channels, `channel` the first, of one row: see tinyc_wconv2d_i16. */
TINYC_INLINE void tinyc_wconv2d_lanes_i16(const int16_t **rows, const int16_t *pad, const int8_t *w, const void *bias,
                                          const int32_t *multiplier, const int8_t *shift, void *out, int channel,
                                          int lanes, int skip, int tile, int before, int after, int width, int channels,
                                          int inputs, int out_width, int outputs, int kh, int kw, int stride,
                                          int dilation, int left, int zero, int low, int high, int form, int to)
{
    /* A window row whose pixels touch each other is one run. */
    const int whole = dilation == 1 && inputs == channels;
    const int runs = whole ? 1 : kw, n = whole ? kw * inputs : inputs;
    const int inside = out_width - before - after, spare = inside % tile;
    int x = before;
    for (int k = 0; k < inside / tile; ++k) {
        tinyc_wtile_i16(rows, pad, w, bias, multiplier, shift, out, channel, x * outputs + channel, lanes, tile, 0,
                        (x * stride - left) * channels, skip, stride * channels, 0, kh, runs, dilation * channels, n,
                        outputs, zero, low, high, form, to);
        x += tile;
    }
    if (spare) {
        tinyc_wtile_i16(rows, pad, w, bias, multiplier, shift, out, channel, x * outputs + channel, lanes, spare, 0,
                        (x * stride - left) * channels, skip, stride * channels, 0, kh, runs, dilation * channels, n,
                        outputs, zero, low, high, form, to);
    }
    for (int k = 0; k < before + after; ++k) {
        const int at = k < before ? k : out_width - after + k - before;
        tinyc_wtile_i16(rows, pad, w, bias, multiplier, shift, out, channel, at * outputs + channel, lanes, 1, 1,
                        (at * stride - left) * channels, skip, 0, width * channels, kh, kw, dilation * channels, inputs,
                        0, zero, low, high, form, to);
    }
}

/* One output row of a convolution from kh input rows, where operand or result is int16: as tinyc_qconv2d_i8, with
 * weights in the same order. `form` is as in tinyc_narrow_wide, results have `to` bytes.
 */
TINYC_INLINE void tinyc_wconv2d_i16(const int16_t **rows, const int16_t *pad, const int8_t *w, const void *bias,
                                    const int32_t *multiplier, const int8_t *shift, void *out, int tile, int before,
                                    int after, int width, int channels, int out_width, int outputs, int kh, int kw,
                                    int stride, int dilation, int left, int groups, int zero, int low, int high,
                                    int form, int to)
{
    const int inputs = channels / groups;
    const int each = outputs / groups;
    const int elements = kh * kw * inputs;
    const int rest = each % 4;
    int channel = 0;
    for (int skip = 0; skip < channels; skip += inputs) {
        for (int k = 0; k < each / 4; ++k) {
            tinyc_wconv2d_lanes_i16(rows, pad, w, bias, multiplier, shift, out, channel, 4, skip, tile, before, after,
                                    width, channels, inputs, out_width, outputs, kh, kw, stride, dilation, left, zero,
                                    low, high, form, to);
            w += 4 * elements;
            channel += 4;
        }
        if (rest) {
            tinyc_wconv2d_lanes_i16(rows, pad, w, bias, multiplier, shift, out, channel, rest, skip, tile, before,
                                    after, width, channels, inputs, out_width, outputs, kh, kw, stride, dilation, left,
                                    zero, low, high, form, to);
            w += rest * elements;
            channel += rest;
        }
    }
}

#endif
