#ifndef TINYC_QDEPTHWISE3X3_I8_H
#define TINYC_QDEPTHWISE3X3_I8_H

#include "common.h"
#include "narrow_i8.h"
#include "pixel_i8.h"
#include "unscheduled.h"

/* Nine weights and the sums of two outputs: `sum` is the one that the next column completes, `later` the one after. */
typedef struct {
    int32_t w0, w1, w2, w3, w4, w5, w6, w7, w8;
    int32_t start, sum, later;
} tinyc_qwindow_i8;

/* Adds a column (top, middle, bottom) to the three outputs it belongs to and returns the one that it completes. */
TINYC_INLINE int32_t tinyc_qwindow_column_i8(tinyc_qwindow_i8 *v, int32_t t, int32_t m, int32_t b)
{
    const int32_t done = v->sum + t * v->w2 + m * v->w5 + b * v->w8;
    v->sum = v->later + t * v->w1 + m * v->w4 + b * v->w7;
    v->later = v->start + t * v->w0 + m * v->w3 + b * v->w6;
    return done;
}

/* One output row of a 3x3 depthwise convolution of stride 1, one output channel for each input channel.
 *
 * A channel's nine weights stay in registers while its columns pass by, so there are 3 loads for 9 products. Up to 2
 * columns `left` of a row are read from `pad`, which holds the zero point, and so are those right of it. `small` as in
 * tinyc_narrow_i8. `out` may be one of the rows: a column is read before the output in its place is written.
 */
TINYC_INLINE void tinyc_qdepthwise3x3_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const int32_t *bias,
                                         const int32_t *multiplier, const int8_t *shift, int8_t *out,
                                         int width, int channels, int out_width, int left, int zero, int low, int high,
                                         int small)
{
    /* What is written could otherwise be thought to change the pointers. */
    const int8_t *const top = rows[0], *const middle = rows[1], *const bottom = rows[2];
    /* The outputs whose last column lies in the row. */
    const int fitting = width + left - 2 < out_width ? width + left - 2 : out_width;
    for (int c = 0; c < channels; ++c) {
        const int8_t *const k = w + c;
        tinyc_qwindow_i8 v = {k[0],
                              k[channels],
                              k[2 * channels],
                              k[3 * channels],
                              k[4 * channels],
                              k[5 * channels],
                              k[6 * channels],
                              k[7 * channels],
                              k[8 * channels],
                              bias[c],
                              bias[c],
                              bias[c]};
        const int32_t factor = multiplier[c];
        const int places = shift[c];
        int8_t *to = out + c;
        int x = 0;
        for (int column = -left; column < 2 - left; ++column) {
            (void)tinyc_qwindow_column_i8(&v, tinyc_pixel_i8(top, pad, column, width, channels)[c],
                                          tinyc_pixel_i8(middle, pad, column, width, channels)[c],
                                          tinyc_pixel_i8(bottom, pad, column, width, channels)[c]);
        }
        for (; x + 2 <= fitting; x += 2) {
            const int at = (x + 2 - left) * channels + c;
            const int32_t one = tinyc_qwindow_column_i8(&v, top[at], middle[at], bottom[at]);
            int32_t two;
            to[0] = tinyc_narrow_i8(one, factor, places, zero, low, high, small);
            two = tinyc_qwindow_column_i8(&v, top[at + channels], middle[at + channels], bottom[at + channels]);
            to[channels] = tinyc_narrow_i8(two, factor, places, zero, low, high, small);
            to += 2 * channels;
        }
        for (; x < out_width; ++x) {
            const int32_t sum = tinyc_qwindow_column_i8(
                &v, tinyc_pixel_i8(top, pad, x + 2 - left, width, channels)[c],
                tinyc_pixel_i8(middle, pad, x + 2 - left, width, channels)[c],
                tinyc_pixel_i8(bottom, pad, x + 2 - left, width, channels)[c]);
            *to = tinyc_narrow_i8(sum, factor, places, zero, low, high, small);
            to += channels;
        }
    }
}

#endif
