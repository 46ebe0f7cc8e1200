#ifndef TINYC_QCONV2D_I8_H
#define TINYC_QCONV2D_I8_H

#include <stddef.h>

#include "common.h"
#include "qlanes_i8.h"

/* `lanes` output channels of one row: see tinyc_qconv2d_i8. */
TINYC_INLINE void tinyc_qconv2d_lanes_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const int32_t *words,
                                         const int32_t *bias, const int32_t *multiplier, const int8_t *shift,
                                         int8_t *restrict out, int paired, int lanes, int skip, int tile, int width, int channels,
                                         int inputs, int out_width, int outputs, int kh, int kw, int stride,
                                         int dilation, int left, int zero, int low, int high, int form)
{
    const int reach = (kw - 1) * dilation;
    /* A window row whose pixels touch each other is one run. */
    const int whole = dilation == 1 && inputs == channels;
    const int border = left > 0 || (out_width - 1) * stride - left + reach >= width;
    int x = 0;
    while (x < out_width) {
        const int first = x * stride - left;
        int8_t *const to = out + x * outputs;
        if (x + tile <= out_width && (!border || (first >= 0 && first + (tile - 1) * stride + reach < width))) {
            tinyc_qlanes_i8(rows, pad, w, words, bias, multiplier, shift, to, paired, lanes, tile, 0, first * channels, skip,
                            stride * channels, 0, kh, whole ? 1 : kw, dilation * channels,
                            whole ? kw * inputs : inputs, outputs, zero, low, high, form);
            x += tile;
        } else {
            const int runs = border || !whole;
            tinyc_qlanes_i8(rows, pad, w, words, bias, multiplier, shift, to, paired, lanes, 1, border, first * channels, skip,
                            0, width * channels, kh, runs ? kw : 1, dilation * channels, runs ? inputs : kw * inputs,
                            0, zero, low, high, form);
            x += 1;
        }
    }
}

/* One output row of a convolution from kh input rows; `left` columns of the zero point in `pad` lie before each. Of
 * its pixels, `tile` are computed together.
 *
 * Weights come, for each group, in blocks of four output channels and a last one of the one to three left over, the
 * lanes of a block interleaved: [kh][kw][inputs][lanes]. With `paired` there are `words`, memory for two an element of the
 * window, and whole blocks are computed as tinyc_qpairs_i8 does. Multiplier and shift have one entry an output channel;
 * `form` as in tinyc_narrow_i8. Output channels are the outer loop, so that a row needs each weight once.
 */
TINYC_INLINE void tinyc_qconv2d_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const int32_t *bias,
                                   const int32_t *multiplier, const int8_t *shift, int32_t *words,
                                   int8_t *restrict out, int paired, int tile, int width, int channels, int out_width, int outputs,
                                   int kh, int kw, int stride, int dilation, int left, int groups, int zero, int low,
                                   int high, int form)
{
    const int inputs = channels / groups;
    const int each = outputs / groups;
    const int elements = kh * kw * inputs;
    const int rest = each % 4;
    for (int skip = 0; skip < channels; skip += inputs) {
        const int32_t *const end = bias + each - rest;
        while (bias != end) {
            if (paired) {
                tinyc_qpair_weights_i8(words, w, elements);
            }
            tinyc_qconv2d_lanes_i8(rows, pad, w, words, bias, multiplier, shift, out, paired, 4, skip, tile, width, channels,
                                   inputs, out_width, outputs, kh, kw, stride, dilation, left, zero, low, high, form);
            w += 4 * elements;
            bias += 4;
            multiplier += 4;
            shift = form == 2 ? shift : shift + 4;
            out += 4;
        }
        if (rest) {
            tinyc_qconv2d_lanes_i8(rows, pad, w, NULL, bias, multiplier, shift, out, 0, rest, skip, tile, width, channels,
                                   inputs, out_width, outputs, kh, kw, stride, dilation, left, zero, low, high, form);
            w += rest * elements;
            bias += rest;
            multiplier += rest;
            shift = form == 2 ? shift : shift + rest;
            out += rest;
        }
    }
}

#endif
