#ifndef TINYC_QMAC16_I8_H
#define TINYC_QMAC16_I8_H

#include "common.h"
#include "mac16.h"
#include "narrow_i8.h"
#include "shift_i8.h"

/* Elements of an operand become int16 with 128 added, which the bias takes back; weights become int16 times 256, which
 * takes two instructions for two of them. So sums are 256 times as large.
 */

/* The places of the high half of a product behind those that it has in `form` 2 or 3 of tinyc_narrow_i8. */
TINYC_INLINE int tinyc_qmac16_places_i8(int form)
{
    return form == 2 ? 8 : 6;
}

/* What the high half of a product needs: a half to be rounded, and the zero point, as in tinyc_narrow_i8. */
TINYC_INLINE int32_t tinyc_qmac16_addend_i8(int32_t zero, int form)
{
    int32_t addend = (2 * zero + 1) * (1 << tinyc_qmac16_places_i8(form));
    /* It stays in a register. */
    TINYC_KEEP(addend);
    return addend;
}

/* What tinyc_narrow_i8 makes of a sum that is 256 times too large, and less than 2^31 in size. The high half of a product
 * is then 256 times that of `form` 2, and 64 times that of form 3, with a rest that rounding down takes away.
 */
TINYC_INLINE int8_t tinyc_qmac16_narrow_i8(int32_t sum, int32_t multiplier, int shift, int32_t addend, int32_t zero,
                                           int32_t low, int32_t high, int form)
{
    if (form >= 2) {
        const int32_t m = (int32_t)(((int64_t)sum * multiplier) >> 32);
        const int32_t v = (m + addend) >> (tinyc_qmac16_places_i8(form) + 1);
        const int32_t least = v < low ? low : v;
        return (int8_t)(least > high ? high : least);
    }
    return tinyc_narrow_i8(sum >> 8, multiplier, shift, zero, low, high, form);
}

/* An element, 128 added. */
TINYC_INLINE int16_t tinyc_qmac16_moved_i8(int8_t x)
{
    int32_t bits = (uint8_t)x;
    /* Or compilers extend the result once more. */
    TINYC_KEEP(bits);
    return (int16_t)(bits ^ 0x80);
}

/* Writes four elements, 128 added, the first two in the lower halves of two words. */
TINYC_INLINE void tinyc_qmac16_quad_i8(int16_t *to, uint32_t four)
{
    const uint32_t moved = four ^ 0x80808080u;
    tinyc_mac16_store(to, moved & ~TINYC_MAC16_UPPER);
    tinyc_mac16_store(to + 2, moved >> 8 & ~TINYC_MAC16_UPPER);
}

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

/* All output channels of pixels whose 4 * quads elements are int16 in memory. `words` has a word that is not used, place
 * for the weights of one output channel, and the elements. `wide` says that sums take more than 32 bits.
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
