#ifndef TINYC_QCONV2D_I8_H
#define TINYC_QCONV2D_I8_H

#include <stddef.h>

#include "channel_at_i8.h"
#include "common.h"
#include "qlanes_i8.h"
#include "qpatch_i8.h"
#include "unpacked_i8.h"

/* `lanes` output channels of the pixels of a row that look beside it: `before` at its begin, `after` at its end. With
 * `patched`, their windows lie whole in patches. Returns where the extras end.
 */
TINYC_INLINE const uint8_t *tinyc_qborder_i8(const int8_t **rows, const int8_t *pad, const int8_t *patches,
                                             const int8_t *w, const int32_t *words, uint64_t bits,
                                             const uint8_t *extras, const int32_t *bias, const int32_t *multiplier,
                                             const int8_t *shift, int8_t *restrict out, int paired, int patched,
                                             int lanes, int halves, int skip, int before, int after, int width,
                                             int channels, int inputs, int out_width, int outputs, int kh, int kw,
                                             int stride, int dilation, int left, int zero, int low, int high, int form)
{
    /* A copied window is one run, unless groups of elements begin anew in each of its runs. */
    const int size = kh * kw * inputs;
    const int runs = paired != 4 ? 1 : dilation == 1 && inputs == channels ? kh : kh * kw;
    const int n = size / runs;
    const uint8_t *behind = NULL;
    if (patched && before == 1 && after == 1) {
        return tinyc_qlanes_i8(&patches, pad, w, words, bits, extras, bias, multiplier, shift, out, paired, lanes,
                               halves, 2, 0, 0, 0, size, 0, 1, runs, n, n, 4, (out_width - 1) * outputs, zero, low,
                               high, form);
    }
    for (int k = 0; k < before + after; ++k) {
        const int x = k < before ? k : out_width - after + k - before;
        if (patched) {
            behind = tinyc_qlanes_i8(&patches, pad, w, words, bits, extras, bias, multiplier, shift, out + x * outputs,
                                     paired, lanes, halves, 1, 0, k * size, 0, 0, 0, 1, runs, n, n, 4, 0, zero, low,
                                     high, form);
        } else {
            behind =
                tinyc_qlanes_i8(rows, pad, w, words, bits, extras, bias, multiplier, shift, out + x * outputs, paired,
                                lanes, halves, 1, 1, (x * stride - left) * channels, skip, 0, width * channels, kh, kw,
                                dilation * channels, inputs, 4, 0, zero, low, high, form);
        }
    }
    return behind;
}

/* `lanes` output channels of one row: see tinyc_qconv2d_i8. Returns where the extras end. */
TINYC_INLINE const uint8_t *tinyc_qconv2d_lanes_i8(const int8_t **rows, const int8_t *pad, const int8_t *patches,
                                                   const int8_t *w, const int32_t *words, uint64_t bits,
                                                   const uint8_t *extras, const int32_t *bias,
                                                   const int32_t *multiplier, const int8_t *shift, int8_t *restrict out,
                                                   int paired, int patched, int lanes, int halves, int skip, int tile,
                                                   int before, int after, int width, int channels, int inputs,
                                                   int out_width, int outputs, int kh, int kw, int stride, int dilation,
                                                   int left, int zero, int low, int high, int form)
{
    /* A window row whose pixels touch each other is one run, unless groups of elements have to be those of pixels at
     * the ends of the row, whose runs are shorter.
     */
    const int alike = paired != 4 || patched || before + after == 0;
    const int whole = dilation == 1 && inputs == channels && alike;
    const int runs = whole ? 1 : kw, n = whole ? kw * inputs : inputs;
    const int inside = out_width - before - after;
    int at = (before * stride - left) * channels;
    int8_t *to = out + before * outputs;
    const uint8_t *behind = NULL, *last;
    int8_t *const end = to + inside / tile * tile * outputs;
    while (to != end) {
        behind = tinyc_qlanes_i8(rows, pad, w, words, bits, extras, bias, multiplier, shift, to, paired, lanes, halves,
                                 tile, 0, at, skip, stride * channels, 0, kh, runs, dilation * channels, n, 4, outputs,
                                 zero, low, high, form);
        at += tile * stride * channels;
        to += tile * outputs;
    }
    if (inside % tile) {
        behind = tinyc_qlanes_i8(rows, pad, w, words, bits, extras, bias, multiplier, shift, to, paired, lanes, halves,
                                 inside % tile, 0, at, skip, stride * channels, 0, kh, runs, dilation * channels, n, 4,
                                 outputs, zero, low, high, form);
    }
    last = tinyc_qborder_i8(rows, pad, patches, w, words, bits, extras, bias, multiplier, shift, out, paired, patched,
                            lanes, halves, skip, before, after, width, channels, inputs, out_width, outputs, kh, kw,
                            stride, dilation, left, zero, low, high, form);
    return before + after ? last : behind;
}

/* One output row of a convolution from kh input rows; `left` columns of the zero point in `pad` lie before each. Of its
 * pixels, `before` at its begin and `after` at its end have windows that reach beside the row; of those between, `tile`
 * are computed together. With `patched`, the windows of the former are copied to `patches`, for all channels.
 *
 * Weights come, for each group, in blocks of four output channels and a last one of the one to three left over, the
 * lanes of a block interleaved: [kh][kw][inputs][lanes], those of whole blocks with `halves` two in a byte. With
 * `paired` there are `words`, memory for two an element of the window, and whole blocks are computed as tinyc_qpairs_i8
 * does in groups of so many; `extras` are those of one block after another, bits in front. Bias, multiplier and shift
 * have one entry an output channel (see channel_i8.h for `shifts`); `form` as in tinyc_narrow_i8. Output channels are
 * the outer loop, so that a row needs each weight once.
 */
TINYC_INLINE void tinyc_qconv2d_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const void *bias,
                                   const void *multiplier, const int8_t *shift, int32_t *words, const uint8_t *extras,
                                   int8_t *patches, int8_t *restrict out, int paired, int halves, int patched, int tile,
                                   int before, int after, int width, int channels, int out_width, int outputs, int kh,
                                   int kw, int stride, int dilation, int left, int groups, int zero, int low, int high,
                                   int shifts, int form)
{
    const int32_t *biases, *multipliers;
    int32_t unpacked[8];
    const int inputs = channels / groups;
    const int each = outputs / groups;
    const int elements = kh * kw * inputs;
    const int rest = each % 4;
    /* Those in which groups of four elements begin anew: see tinyc_qborder_i8. */
    const int runs = dilation == 1 && (patched || before + after == 0) ? kh : kh * kw;
    if (patched) {
        for (int k = 0; k < before + after; ++k) {
            const int x = k < before ? k : out_width - after + k - before;
            tinyc_qpatch_i8(patches + k * elements, rows, pad, x * stride - left, width, channels, kh, kw, dilation);
        }
    }
    for (int skip = 0; skip < channels; skip += inputs) {
        const void *const end = tinyc_bias_at_i8(bias, each - rest, form);
        while (bias != end) {
            tinyc_unpacked_i8(&biases, &multipliers, unpacked, bias, multiplier, 4, shifts, form);
            if (paired) {
                tinyc_qpair_weights_i8(words, w, elements, halves);
            }
            const uint64_t some = tinyc_qextras_bits_i8(&extras, runs);
            extras =
                tinyc_qconv2d_lanes_i8(rows, pad, patches, w, words, some, extras, biases, multipliers, shift, out,
                                       paired, patched, 4, halves, skip, tile, before, after, width, channels, inputs,
                                       out_width, outputs, kh, kw, stride, dilation, left, zero, low, high, form);
            w += (halves ? 2 : 4) * elements;
            bias = tinyc_bias_at_i8(bias, 4, form);
            multiplier = tinyc_multiplier_at_i8(multiplier, 4, form);
            shift = form >= 2 ? shift : shift + 4;
            out += 4;
        }
        if (rest) {
            tinyc_unpacked_i8(&biases, &multipliers, unpacked, bias, multiplier, rest, shifts, form);
            (void)tinyc_qconv2d_lanes_i8(rows, pad, patches, w, NULL, 0, NULL, biases, multipliers, shift, out, 0,
                                         patched, rest, 0, skip, tile, before, after, width, channels, inputs,
                                         out_width, outputs, kh, kw, stride, dilation, left, zero, low, high, form);
            w += rest * elements;
            bias = tinyc_bias_at_i8(bias, rest, form);
            multiplier = tinyc_multiplier_at_i8(multiplier, rest, form);
            shift = form >= 2 ? shift : shift + rest;
            out += rest;
        }
    }
}

#endif
