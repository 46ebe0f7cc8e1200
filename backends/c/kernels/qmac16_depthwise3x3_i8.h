#ifndef TINYC_QMAC16_DEPTHWISE3X3_I8_H
#define TINYC_QMAC16_DEPTHWISE3X3_I8_H

#include "common.h"
#include "qmac16_i8.h"

/* Two int8 at p, 128 added, in the halves of a word: the one of this lane, and the one two lanes on. */
TINYC_INLINE uint32_t tinyc_qmac16_two_i8(const int8_t *p, int lane, int lanes)
{
    const uint32_t lower = lane < lanes ? (uint32_t)(p[lane] + 128) : 0u;
    return lane + 2 < lanes ? lower | (uint32_t)(p[lane + 2] + 128) << 16 : lower;
}

/* Writes a column of three rows for up to four channels: a word for each row that has the first and the third, and,
 * `plane` elements on, one that has the second and the fourth.
 */
TINYC_INLINE void tinyc_qmac16_column_i8(int16_t *to, int plane, const int8_t *top, const int8_t *middle,
                                         const int8_t *bottom, int lanes, int aligned)
{
    if (aligned) {
        const uint32_t t = tinyc_mac16_load(top) ^ 0x80808080u;
        const uint32_t m = tinyc_mac16_load(middle) ^ 0x80808080u;
        const uint32_t b = tinyc_mac16_load(bottom) ^ 0x80808080u;
        tinyc_mac16_store(to, t & ~TINYC_MAC16_UPPER);
        tinyc_mac16_store(to + 2, m & ~TINYC_MAC16_UPPER);
        tinyc_mac16_store(to + 4, b & ~TINYC_MAC16_UPPER);
        tinyc_mac16_store(to + plane, t >> 8 & ~TINYC_MAC16_UPPER);
        tinyc_mac16_store(to + plane + 2, m >> 8 & ~TINYC_MAC16_UPPER);
        tinyc_mac16_store(to + plane + 4, b >> 8 & ~TINYC_MAC16_UPPER);
    } else {
        tinyc_mac16_store(to, tinyc_qmac16_two_i8(top, 0, lanes));
        tinyc_mac16_store(to + 2, tinyc_qmac16_two_i8(middle, 0, lanes));
        tinyc_mac16_store(to + 4, tinyc_qmac16_two_i8(bottom, 0, lanes));
        tinyc_mac16_store(to + plane, tinyc_qmac16_two_i8(top, 1, lanes));
        tinyc_mac16_store(to + plane + 2, tinyc_qmac16_two_i8(middle, 1, lanes));
        tinyc_mac16_store(to + plane + 4, tinyc_qmac16_two_i8(bottom, 1, lanes));
    }
}

/* Writes `count` columns of the operand's zero point, and returns where the next one goes. */
TINYC_INLINE int16_t *tinyc_qmac16_fill_i8(int16_t *to, int plane, int count, int fill)
{
    const uint32_t word = (uint32_t)(fill + 128) * 0x10001u;
    for (int k = 0; k < 3 * count; ++k) {
        tinyc_mac16_store(to, word);
        tinyc_mac16_store(to + plane, word);
        to += 2;
    }
    return to;
}

/* The outputs of one channel whose elements are one half of the words behind x. */
TINYC_INLINE void tinyc_qmac16_channel_i8(const int16_t *x, const int32_t *w, int32_t start, int32_t multiplier,
                                          int shift, int8_t *to, int upper, int channels, int out_width, int stride,
                                          int zero, int low, int high, int form)
{
    const uint32_t four = (uint32_t)w[0], more = (uint32_t)w[1];
    const tinyc_mac16_nine nine = {four << 8 & TINYC_MAC16_UPPER, four & TINYC_MAC16_UPPER,
                                   more << 8 & TINYC_MAC16_UPPER, more & TINYC_MAC16_UPPER, (uint32_t)w[2] << 8};
    int8_t *const end = to + out_width * channels;
    do {
        const int32_t sum = tinyc_mac16_window(&x, &nine, upper, start);
        x -= 18 - 6 * stride;
        *to = tinyc_qmac16_narrow_i8(sum, multiplier, shift, zero, low, high, form);
        to += channels;
    } while (to != end);
}

/* One output row of a 3x3 depthwise convolution of stride 1 or 2, one output channel for each input channel. Up to 2
 * columns `left` of a row hold the zero point of x, `fill`, and so do those right of it. `out` may be one of the rows:
 * all columns of up to four channels are in memory before their first output is written.
 *
 * `words` has a word that is not used, and two for each column and row. Weights have three words a channel, in the order
 * of columns: four, four and one, the second and third of four exchanged. A bias is that of elements with 128
 * added, times 256; `form` as in tinyc_narrow_i8.
 */
TINYC_INLINE void tinyc_qmac16_depthwise3x3_i8(const int8_t **rows, const int32_t *w, const int32_t *bias,
                                               const int32_t *multiplier, const int8_t *shift, int32_t *words,
                                               int8_t *out, int width, int channels, int out_width, int stride,
                                               int left, int fill, int zero, int low, int high, int form)
{
    const int8_t *top = rows[0], *middle = rows[1], *bottom = rows[2];
    const int columns = (out_width - 1) * stride + 3, plane = 6 * columns;
    const int body = columns - left < width ? columns - left : width;
    const int aligned = channels % 4 == 0 && tinyc_mac16_aligned(top) && tinyc_mac16_aligned(middle) &&
                        tinyc_mac16_aligned(bottom);
    int16_t *const before = (int16_t *)(void *)words;
    for (int c = 0; c < channels; c += 4) {
        const int lanes = channels - c < 4 ? channels - c : 4;
        int16_t *to = tinyc_qmac16_fill_i8(before + 2, plane, left, fill);
        int16_t *const end = to + 6 * body;
        while (to != end) {
            tinyc_qmac16_column_i8(to, plane, top, middle, bottom, lanes, aligned);
            to += 6;
            top += channels;
            middle += channels;
            bottom += channels;
        }
        (void)tinyc_qmac16_fill_i8(to, plane, columns - left - body, fill);
        top += 4 - body * channels;
        middle += 4 - body * channels;
        bottom += 4 - body * channels;
        for (int k = 0; k < lanes; ++k) {
            const int16_t *const x = before + (k % 2 ? plane : 0);
            const int places = tinyc_shift_i8(shift, 0, form);
            if (k < 2) {
                tinyc_qmac16_channel_i8(x, w, *bias, *multiplier, places, out, 0, channels, out_width, stride, zero,
                                        low, high, form);
            } else {
                tinyc_qmac16_channel_i8(x, w, *bias, *multiplier, places, out, 1, channels, out_width, stride, zero,
                                        low, high, form);
            }
            w += 3;
            ++bias;
            ++multiplier;
            shift = form >= 2 ? shift : shift + 1;
            ++out;
        }
    }
}

#endif
