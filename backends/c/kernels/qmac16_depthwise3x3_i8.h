#ifndef TINYC_QMAC16_DEPTHWISE3X3_I8_H
#define TINYC_QMAC16_DEPTHWISE3X3_I8_H

#include "common.h"
#include "mac16.h"
#include "mac16_load.h"
#include "mac16_window.h"
#include "qmac16_moved_i8.h"
#include "qmac16_narrow_i8.h"
#include "shift_i8.h"

/* The elements of up to four channels in words: the first and the third lane, and the second and the fourth, `plane`
 * int16 further.
 */
TINYC_INLINE void tinyc_qmac16_lanes_i8(int16_t *to, int plane, const int8_t *p, int lanes)
{
    to[0] = tinyc_qmac16_moved_i8(p[0]);
    to[1] = lanes > 2 ? tinyc_qmac16_moved_i8(p[2]) : 0;
    to[plane] = lanes > 1 ? tinyc_qmac16_moved_i8(p[1]) : 0;
    to[plane + 1] = lanes > 3 ? tinyc_qmac16_moved_i8(p[3]) : 0;
}

/* The same for four channels whose elements are one word. */
TINYC_INLINE void tinyc_qmac16_four_i8(int16_t *to, int plane, const int8_t *p)
{
    const uint32_t moved = tinyc_mac16_load(p) ^ 0x80808080u;
    tinyc_mac16_store(to, moved & ~TINYC_MAC16_UPPER);
    tinyc_mac16_store(to + plane, moved >> 8 & ~TINYC_MAC16_UPPER);
}

/* Writes `count` columns of three rows, one row after the other, and returns where the next column goes. */
TINYC_INLINE int16_t *tinyc_qmac16_columns_i8(int16_t *to, int plane, const int8_t *top, const int8_t *middle,
                                              const int8_t *bottom, int count, int channels, int lanes, int aligned)
{
    int16_t *const end = to + 6 * count;
    if (aligned) {
        while (to != end) {
            tinyc_qmac16_four_i8(to, plane, top);
            tinyc_qmac16_four_i8(to + 2, plane, middle);
            tinyc_qmac16_four_i8(to + 4, plane, bottom);
            to += 6;
            top += channels;
            middle += channels;
            bottom += channels;
        }
    } else {
        while (to != end) {
            tinyc_qmac16_lanes_i8(to, plane, top, lanes);
            tinyc_qmac16_lanes_i8(to + 2, plane, middle, lanes);
            tinyc_qmac16_lanes_i8(to + 4, plane, bottom, lanes);
            to += 6;
            top += channels;
            middle += channels;
            bottom += channels;
        }
    }
    return end;
}

/* Writes `count` columns of the operand's zero point, and returns where the next one goes. */
TINYC_INLINE int16_t *tinyc_qmac16_fill_i8(int16_t *to, int plane, int count, int fill)
{
    const uint32_t word = (uint32_t)(fill + 128) * 0x10001u;
    int16_t *const end = to + 6 * count;
    while (to != end) {
        tinyc_mac16_store(to, word);
        tinyc_mac16_store(to + 2, word);
        tinyc_mac16_store(to + 4, word);
        tinyc_mac16_store(to + plane, word);
        tinyc_mac16_store(to + plane + 2, word);
        tinyc_mac16_store(to + plane + 4, word);
        to += 6;
    }
    return end;
}

/* The outputs of one channel whose elements are one half of the words behind x. */
TINYC_INLINE void tinyc_qmac16_channel_i8(const int16_t *x, const int32_t *w, int32_t start, int32_t multiplier,
                                          int shift, int8_t *to, int upper, int channels, int outputs, int stride,
                                          int zero, int low, int high, int form)
{
    const uint32_t four = (uint32_t)w[0], more = (uint32_t)w[1];
    const tinyc_mac16_nine nine = {four << 8 & TINYC_MAC16_UPPER, four & TINYC_MAC16_UPPER,
                                   more << 8 & TINYC_MAC16_UPPER, more & TINYC_MAC16_UPPER, (uint32_t)w[2] << 8};
    const int32_t addend = tinyc_qmac16_addend_i8(zero, form);
    int8_t *const end = to + outputs * channels;
    do {
        const int32_t sum = tinyc_mac16_window(&x, &nine, upper, start);
        x -= 18 - 6 * stride;
        *to = tinyc_qmac16_narrow_i8(sum, multiplier, shift, addend, zero, low, high, form);
        to += channels;
    } while (to != end);
}

/* One output row of a 3x3 depthwise convolution of stride 1 or 2, one output channel for each input channel. Up to 2
 * columns `left` of a row hold the zero point of x, `fill`, and so do those right of it. Up to four channels are
 * computed together, `band` outputs at a time. `out` may be one of the rows: what an output overwrites was read before.
 *
 * `words` has a word that is not used, and two for each column and row of a band. Weights have three words a channel,
 * in the order of columns: four, four and one, the second and third of four exchanged. A bias is that of elements with
 * 128 added, times 256; `form` as in tinyc_narrow_i8.
 */
TINYC_INLINE void tinyc_qmac16_depthwise3x3_i8(const int8_t **rows, const int32_t *w, const int32_t *bias,
                                               const int32_t *multiplier, const int8_t *shift, int32_t *words,
                                               int8_t *out, int band, int width, int channels, int out_width,
                                               int stride, int left, int fill, int zero, int low, int high, int form)
{
    const int8_t *const top = rows[0], *const middle = rows[1], *const bottom = rows[2];
    /* Columns that one band leaves to the next. */
    const int kept = 3 - stride, plane = 6 * (band * stride + kept);
    const int aligned = channels % 4 == 0 && tinyc_mac16_aligned(top) && tinyc_mac16_aligned(middle) &&
                        tinyc_mac16_aligned(bottom);
    int16_t *const before = (int16_t *)(void *)words;
    for (int c = 0; c < channels; c += 4) {
        const int lanes = channels - c < 4 ? channels - c : 4;
        int16_t *to = tinyc_qmac16_fill_i8(before + 2, plane, left, fill);
        int column = 0, columns = kept - left;
        for (int first = 0; first < out_width; first += band) {
            const int some = out_width - first < band ? out_width - first : band;
            columns += some * stride;
            {
                const int most = columns < width ? columns : width;
                const int inside = most > column ? most - column : 0, at = column * channels + c;
                to = tinyc_qmac16_columns_i8(to, plane, top + at, middle + at, bottom + at, inside, channels, lanes,
                                             aligned);
                (void)tinyc_qmac16_fill_i8(to, plane, columns - column - inside, fill);
            }
            column = columns;
            for (int k = 0; k < lanes; ++k) {
                const int o = c + k, places = tinyc_shift_i8(shift, o, form);
                const int16_t *const x = before + (k % 2 ? plane : 0);
                int8_t *const first_out = out + first * channels + o;
                if (k < 2) {
                    tinyc_qmac16_channel_i8(x, w + 3 * o, bias[o], multiplier[o], places, first_out, 0, channels, some,
                                            stride, zero, low, high, form);
                } else {
                    tinyc_qmac16_channel_i8(x, w + 3 * o, bias[o], multiplier[o], places, first_out, 1, channels, some,
                                            stride, zero, low, high, form);
                }
            }
            /* The last columns become the first. */
            to = before + 2;
            for (int k = 0; k < 6 * kept && first + band < out_width; ++k) {
                to[0] = to[6 * band * stride];
                to[plane] = to[plane + 6 * band * stride];
                ++to;
            }
        }
    }
}

#endif
