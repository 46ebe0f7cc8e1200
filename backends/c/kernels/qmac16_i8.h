#ifndef TINYC_QMAC16_I8_H
#define TINYC_QMAC16_I8_H

#include "common.h"
#include "mac16.h"
#include "mac16_sum.h"
#include "narrow_i8.h"
#include "qmac16_narrow_i8.h"
#include "shift_i8.h"

/* Elements of an operand become int16 with 128 added, which the bias takes back; weights become int16 times 256, which
 * takes two instructions for two of them. So sums are 256 times as large.
 */

/* Writes four weights times 256, in the same order. */
TINYC_INLINE void tinyc_qmac16_weight_quad_i8(int16_t *to, uint32_t four)
{
    tinyc_mac16_store(to, four << 8 & TINYC_MAC16_UPPER);
    tinyc_mac16_store(to + 2, four & TINYC_MAC16_UPPER);
}

/* The same for `quads` times four weights. */
TINYC_INLINE void tinyc_qmac16_weights_i8(int16_t *to, const int32_t *w, int quads)
{
    const int32_t *const end = w + quads;
    if (quads % 2) {
        tinyc_qmac16_weight_quad_i8(to, (uint32_t)*w++);
        to += 4;
    }
    while (w != end) {
        tinyc_qmac16_weight_quad_i8(to, (uint32_t)w[0]);
        tinyc_qmac16_weight_quad_i8(to + 4, (uint32_t)w[1]);
        to += 8;
        w += 2;
    }
}

/* All output channels of pixels whose 4 * quads elements are int16 in memory. `words` has a word that is not used,
 * place for the weights of one output channel, and the elements. `wide` says that sums take more than 32 bits.
 *
 * Weights are [outputs][quads], four int8 a word; a bias is that of sums over what is in memory. The rest is as in
 * tinyc_qpointwise_i8.
 */
TINYC_INLINE void tinyc_qmac16_i8(const int32_t *w, const int32_t *bias, const int32_t *multiplier, const int8_t *shift,
                                  int32_t *words, int8_t *restrict out, int pixels, int quads, int outputs, int wide,
                                  int zero, int low, int high, int form)
{
    int16_t *const before = (int16_t *)(void *)words;
    const int32_t *const last = bias + outputs;
    const int32_t addend = tinyc_qmac16_addend_i8(zero, form);
    while (bias != last) {
        const int32_t start = *bias++, factor = *multiplier++;
        const int places = tinyc_shift_i8(shift, 0, form);
        const int16_t *x = before + 4 * quads;
        int8_t *to = out++;
        int8_t *const end = to + pixels * outputs;
        tinyc_qmac16_weights_i8(before + 2, w, quads);
        do {
            if (wide) {
                const int32_t sum = tinyc_mac16_wide_sum(&x, before, quads, start);
                *to = tinyc_narrow_i8(sum, factor, places, zero, low, high, form);
            } else {
                const int32_t sum = tinyc_mac16_sum(&x, before, quads, start);
                *to = tinyc_qmac16_narrow_i8(sum, factor, places, addend, zero, low, high, form);
            }
            to += outputs;
        } while (to != end);
        w += quads;
        shift = form >= 2 ? shift : shift + 1;
    }
}

#endif
