#ifndef TINYC_QPOINTWISE_I8_H
#define TINYC_QPOINTWISE_I8_H

#include <stddef.h>

#include "channel_at_i8.h"
#include "common.h"
#include "qlanes_i8.h"
#include "unpacked_i8.h"

/* `lanes` output channels of all pixels: see tinyc_qpointwise_i8. Returns where the extras end. */
TINYC_INLINE const uint8_t *tinyc_qpointwise_lanes_i8(const int8_t *x, const int8_t *w, const int32_t *words,
                                                      uint64_t bits, const uint8_t *extras, const int32_t *bias,
                                                      const int32_t *multiplier, const int8_t *shift,
                                                      int8_t *restrict out, int paired, int lanes, int halves,
                                                      int tiles, int tile, int spare, int turn, int inputs, int outputs,
                                                      int zero, int low, int high, int form)
{
    const int8_t *const end = x + tiles * tile * inputs;
    const uint8_t *after = NULL;
    while (x != end) {
        after = tinyc_qlanes_i8(&x, x, w, words, bits, extras, bias, multiplier, shift, out, paired, lanes, halves,
                                tile, 0, 0, 0, inputs, 0, 1, 1, 0, inputs, turn, outputs, zero, low, high, form);
        x += tile * inputs;
        out += tile * outputs;
    }
    if (spare) {
        after = tinyc_qlanes_i8(&x, x, w, words, bits, extras, bias, multiplier, shift, out, paired, lanes, halves,
                                spare, 0, 0, 0, inputs, 0, 1, 1, 0, inputs, turn, outputs, zero, low, high, form);
    }
    return after;
}

/* A 1x1 convolution, or a dense layer on as many rows as there are pixels: `tiles` times `tile` ones that are computed
 * together, and `spare` ones, which are too, `turn` inputs in a turn of the loop. It has `quads` times four inputs and
 * `extra` ones, and `rest` is what is left of the outputs by four.
 *
 * Weights come in blocks of four output channels and a last one of the one to three left over, the lanes of a block
 * interleaved: [inputs][lanes], those of whole blocks with `halves` two in a byte. With `paired` there are `words`,
 * memory for two an input, and whole blocks are computed as tinyc_qpairs_i8 does in groups of so many; `extras` are
 * those of one block after another, bits in front. Bias, multiplier and shift have one entry an output channel (see
 * channel_i8.h for `shifts`); `form` as in tinyc_narrow_i8.
 */
TINYC_INLINE void tinyc_qpointwise_i8(const int8_t *x, const int8_t *w, const void *bias, const void *multiplier,
                                      const int8_t *shift, int32_t *words, const uint8_t *extras, int8_t *restrict out,
                                      int paired, int halves, int tiles, int tile, int spare, int turn, int quads,
                                      int extra, int outputs, int rest, int zero, int low, int high, int shifts,
                                      int form)
{
    const int32_t *biases, *multipliers;
    int32_t unpacked[8];
    const int inputs = 4 * quads + extra;
    const void *const end = tinyc_bias_at_i8(bias, outputs - rest, form);
    while (bias != end) {
        tinyc_unpacked_i8(&biases, &multipliers, unpacked, bias, multiplier, 4, shifts, form);
        if (paired) {
            tinyc_qpair_weights_i8(words, w, inputs, halves);
        }
        const uint64_t some = tinyc_qextras_bits_i8(&extras, 1);
        extras = tinyc_qpointwise_lanes_i8(x, w, words, some, extras, biases, multipliers, shift, out, paired, 4,
                                           halves, tiles, tile, spare, turn, inputs, outputs, zero, low, high, form);
        w += (halves ? 2 : 4) * inputs;
        bias = tinyc_bias_at_i8(bias, 4, form);
        multiplier = tinyc_multiplier_at_i8(multiplier, 4, form);
        shift = form >= 2 ? shift : shift + 4;
        out += 4;
    }
    if (rest) {
        tinyc_unpacked_i8(&biases, &multipliers, unpacked, bias, multiplier, rest, shifts, form);
        (void)tinyc_qpointwise_lanes_i8(x, w, NULL, 0, NULL, biases, multipliers, shift, out, 0, rest, 0, tiles, tile,
                                        spare, turn, inputs, outputs, zero, low, high, form);
    }
}

#endif
