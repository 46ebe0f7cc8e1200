#ifndef TINYC_QMAC16_POINTWISE_I8_H
#define TINYC_QMAC16_POINTWISE_I8_H

#include "common.h"
#include "mac16.h"
#include "mac16_load.h"
#include "qmac16_i8.h"
#include "qmac16_moved_i8.h"

/* Writes four elements, 128 added, the first two in the lower halves of two words. */
TINYC_INLINE void tinyc_qmac16_quad_i8(int16_t *to, uint32_t four)
{
    const uint32_t moved = four ^ 0x80808080u;
    tinyc_mac16_store(to, moved & ~TINYC_MAC16_UPPER);
    tinyc_mac16_store(to + 2, moved >> 8 & ~TINYC_MAC16_UPPER);
}

/* Writes the elements of pixels, 4 * quads each of which there are 4 * quads + extra - 4, as int16. Of those of a word
 * the first and the third come first.
 */
TINYC_INLINE void tinyc_qmac16_pixels_i8(int16_t *to, const int8_t *x, int pixels, int quads, int extra)
{
    if (extra == 4 && tinyc_mac16_aligned(x)) {
        const int8_t *const end = x + 4 * quads * pixels;
        if (quads * pixels % 2) {
            tinyc_qmac16_quad_i8(to, tinyc_mac16_load(x));
            to += 4;
            x += 4;
        }
        while (x != end) {
            tinyc_qmac16_quad_i8(to, tinyc_mac16_load(x));
            tinyc_qmac16_quad_i8(to + 4, tinyc_mac16_load(x + 4));
            to += 8;
            x += 8;
        }
        return;
    }
    for (int k = 0; k < pixels; ++k) {
        const int8_t *const end = x + 4 * quads - 4;
        while (x != end) {
            to[0] = tinyc_qmac16_moved_i8(x[0]);
            to[1] = tinyc_qmac16_moved_i8(x[2]);
            to[2] = tinyc_qmac16_moved_i8(x[1]);
            to[3] = tinyc_qmac16_moved_i8(x[3]);
            to += 4;
            x += 4;
        }
        to[0] = tinyc_qmac16_moved_i8(x[0]);
        to[1] = extra > 2 ? tinyc_qmac16_moved_i8(x[2]) : 0;
        to[2] = extra > 1 ? tinyc_qmac16_moved_i8(x[1]) : 0;
        to[3] = extra > 3 ? tinyc_qmac16_moved_i8(x[3]) : 0;
        to += 4;
        x += extra;
    }
}

/* A 1x1 convolution, or a dense layer on as many rows as there are pixels, `band` of them at a time. Their inputs are
 * 4 * quads with zeros behind the last `extra`, 1 to 4 of them. See tinyc_qmac16_i8.
 */
TINYC_INLINE void tinyc_qmac16_pointwise_i8(const int8_t *x, const int32_t *w, const int32_t *bias,
                                            const int32_t *multiplier, const int8_t *shift, int32_t *words,
                                            int8_t *restrict out, int pixels, int band, int quads, int extra,
                                            int outputs, int wide, int zero, int low, int high, int form)
{
    int16_t *const wide_pixels = (int16_t *)(void *)(words + 1) + 4 * quads;
    for (int first = 0; first < pixels; first += band) {
        const int some = pixels - first < band ? pixels - first : band;
        tinyc_qmac16_pixels_i8(wide_pixels, x, some, quads, extra);
        tinyc_qmac16_i8(w, bias, multiplier, shift, words, out, some, quads, outputs, wide, zero, low, high, form);
        x += some * (4 * quads - 4 + extra);
        out += some * outputs;
    }
}

#endif
