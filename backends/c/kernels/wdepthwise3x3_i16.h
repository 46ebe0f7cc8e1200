#ifndef TINYC_WDEPTHWISE3X3_I16_H
#define TINYC_WDEPTHWISE3X3_I16_H

#include "bias_wide.h"
#include "common.h"
#include "narrow_wide.h"
#include "qnine_i8.h"

/* Three elements below each other. */
typedef struct {
    int32_t top, middle, bottom;
} tinyc_wcolumn_i16;

/* The column at `at` of three rows, or one of `fill` where there is none. */
TINYC_INLINE tinyc_wcolumn_i16 tinyc_wcolumn_at_i16(const int16_t *top, const int16_t *middle, const int16_t *bottom,
                                                    int at, int inside, int fill)
{
    tinyc_wcolumn_i16 v = {fill, fill, fill};
    if (inside) {
        v.top = top[at];
        v.middle = middle[at];
        v.bottom = bottom[at];
    }
    return v;
}

/* One output row of a 3x3 depthwise convolution of stride 1 or 2 of int16 to int16, one output channel for each input
 * channel. Columns `left` of a row and right of it hold the zero point of x, `fill`. `out` may be one of the rows:
 * columns are read before the output in the place of the first is written. Nine products fit int32, whatever the bias.
 * `form` is as in tinyc_narrow_wide.
 */
TINYC_INLINE void tinyc_wdepthwise3x3_i16(const int16_t **rows, const int8_t *w, const void *bias,
                                          const int32_t *multiplier, const int8_t *shift, int16_t *out, int width,
                                          int channels, int out_width, int stride, int left, int fill, int zero,
                                          int low, int high, int form)
{
    /* What is written could otherwise be thought to change the pointers. */
    const int16_t *const first = rows[0], *const second = rows[1], *const third = rows[2];
    /* The outputs whose last column lies in the row. */
    const int most = width + left < 3 ? 0 : (width + left - 3) / stride + 1;
    const int fitting = most < out_width ? most : out_width;
    for (int c = 0; c < channels; ++c) {
        const int16_t *top = first + c, *middle = second + c, *bottom = third + c;
        const tinyc_nine_i8 k = tinyc_qnine_i8(w + c, channels);
        const int64_t start = tinyc_bias_wide(bias, c, form);
        const int32_t factor = multiplier[c];
        const int places = tinyc_shift_wide(shift, c, form);
        tinyc_wcolumn_i16 a = tinyc_wcolumn_at_i16(top, middle, bottom, -left * channels, left < 1, fill);
        tinyc_wcolumn_i16 b =
            tinyc_wcolumn_at_i16(top, middle, bottom, (1 - left) * channels, left < 2 && 1 - left < width, fill);
        int16_t *to = out + c;
        int at = (2 - left) * channels;
        for (int x = 0; x < out_width; ++x) {
            const int inside = x < fitting;
            const tinyc_wcolumn_i16 v = tinyc_wcolumn_at_i16(top, middle, bottom, at, inside, fill);
            int32_t sum = form == 5 ? 0 : (int32_t)start;
            sum += a.top * k.w0 + a.middle * k.w3 + a.bottom * k.w6;
            sum += b.top * k.w1 + b.middle * k.w4 + b.bottom * k.w7;
            sum += v.top * k.w2 + v.middle * k.w5 + v.bottom * k.w8;
            a = stride == 1 ? b : v;
            b = v;
            if (stride == 2) {
                b = tinyc_wcolumn_at_i16(top, middle, bottom, at + channels, 2 * x + 3 - left < width, fill);
            }
            *to = (int16_t)tinyc_narrow_wide(form == 5 ? start + sum : sum, factor, places, zero, low, high, form);
            to += channels;
            at += stride * channels;
        }
    }
}

#endif
