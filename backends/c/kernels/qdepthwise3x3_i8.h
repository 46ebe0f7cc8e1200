#ifndef TINYC_QDEPTHWISE3X3_I8_H
#define TINYC_QDEPTHWISE3X3_I8_H

#include "channel_at_i8.h"
#include "channel_i8.h"
#include "common.h"
#include "narrow_i8.h"
#include "qnine_i8.h"
#include "shift_i8.h"
#include "unscheduled.h"

/* Nine weights and the sums of two outputs: `sum` is the one that the next column completes, `later` the one after. */
typedef struct {
    tinyc_nine_i8 k;
    int32_t start, sum, later;
} tinyc_qwindow_i8;

/* Adds a column (top, middle, bottom) to the three outputs it belongs to and returns the one that it completes. */
TINYC_INLINE int32_t tinyc_qwindow_column_i8(tinyc_qwindow_i8 *v, int32_t t, int32_t m, int32_t b)
{
    const int32_t done = v->sum + t * v->k.w2 + m * v->k.w5 + b * v->k.w8;
    v->sum = v->later + t * v->k.w1 + m * v->k.w4 + b * v->k.w7;
    v->later = v->start + t * v->k.w0 + m * v->k.w3 + b * v->k.w6;
    return done;
}

/* The same for the column of three rows at `at`, or one of `fill` where there is none. */
TINYC_INLINE int32_t tinyc_qwindow_at_i8(tinyc_qwindow_i8 *v, const int8_t *top, const int8_t *middle,
                                         const int8_t *bottom, int at, int inside, int fill)
{
    return tinyc_qwindow_column_i8(v, inside ? top[at] : fill, inside ? middle[at] : fill, inside ? bottom[at] : fill);
}

/* One output row of a 3x3 depthwise convolution of stride 1, one output channel for each input channel.
 *
 * A channel's nine weights stay in registers while its columns pass by, so there are 3 loads for 9 products. Up to 2
 * columns `left` of a row hold the zero point of x, `fill`, and so do those right of it. `form` as in tinyc_narrow_i8.
 * `out` may be one of the rows: a column is read before the output in its place is written. With `lean`, one loop
 * computes all outputs, which is less code.
 */
TINYC_INLINE void tinyc_qdepthwise3x3_i8(const int8_t **rows, const int8_t *w, const void *bias, const void *multiplier,
                                         const int8_t *shift, int8_t *out, int width, int channels, int out_width,
                                         int left, int fill, int lean, int zero, int low, int high, int shifts,
                                         int form)
{
    /* What is written could otherwise be thought to change the pointers. */
    const int8_t *top = rows[0], *middle = rows[1], *bottom = rows[2];
    const int8_t *const last = w + channels;
    /* The outputs whose last column lies in the row, two and two: those that need no question. */
    const int fitting = width + left - 2 < out_width ? width + left - 2 : out_width;
    const int pairs = fitting > 1 && !lean ? fitting / 2 : 0;
    const int third = (2 - left) * channels;
    int8_t *to = out;
    do {
        const int32_t factor = tinyc_multiplier_i8(multiplier, 0, shifts, form);
        const int places = tinyc_shift_i8(shift, 0, form);
        const int32_t start = tinyc_bias_i8(bias, 0, shifts, form);
        tinyc_qwindow_i8 v = {tinyc_qnine_i8(w, channels), start, start, start};
        int8_t *const stop = to + pairs * 2 * channels;
        (void)tinyc_qwindow_at_i8(&v, top, middle, bottom, third - 2 * channels, left < 1 && -left < width, fill);
        (void)tinyc_qwindow_at_i8(&v, top, middle, bottom, third - channels, left < 2 && 1 - left < width, fill);
        while (to != stop) {
            const int32_t one = tinyc_qwindow_column_i8(&v, top[third], middle[third], bottom[third]);
            int32_t two;
            to[0] = tinyc_narrow_i8(one, factor, places, zero, low, high, form);
            two = tinyc_qwindow_at_i8(&v, top, middle, bottom, third + channels, 1, fill);
            to[channels] = tinyc_narrow_i8(two, factor, places, zero, low, high, form);
            to += 2 * channels;
            top += 2 * channels;
            middle += 2 * channels;
            bottom += 2 * channels;
            TINYC_KEEP(top);
            TINYC_KEEP(middle);
            TINYC_KEEP(bottom);
        }
        if (fitting > pairs * 2 && !lean) {
            const int32_t sum = tinyc_qwindow_column_i8(&v, top[third], middle[third], bottom[third]);
            *to = tinyc_narrow_i8(sum, factor, places, zero, low, high, form);
            to += channels;
        }
        for (int x = fitting > 0 && !lean ? fitting : 0; x < out_width; ++x) {
            const int32_t sum =
                tinyc_qwindow_at_i8(&v, top, middle, bottom, third + x * channels, lean && x < fitting, fill);
            *to = tinyc_narrow_i8(sum, factor, places, zero, low, high, form);
            to += channels;
        }
        top += 1 - pairs * 2 * channels;
        middle += 1 - pairs * 2 * channels;
        bottom += 1 - pairs * 2 * channels;
        to += 1 - out_width * channels;
        ++w;
        bias = tinyc_bias_at_i8(bias, 1, form);
        multiplier = tinyc_multiplier_at_i8(multiplier, 1, form);
        if (form < 2) {
            ++shift;
        }
    } while (w != last);
}

#endif
