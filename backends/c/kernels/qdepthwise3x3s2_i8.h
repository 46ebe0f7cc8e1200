#ifndef TINYC_QDEPTHWISE3X3S2_I8_H
#define TINYC_QDEPTHWISE3X3S2_I8_H

#include "channel_at_i8.h"
#include "channel_i8.h"
#include "common.h"
#include "narrow_i8.h"
#include "qnine_i8.h"
#include "shift_i8.h"
#include "unscheduled.h"

/* Weights, the sum of the output that the next two columns complete, and what each begins with. */
typedef struct {
    tinyc_nine_i8 k;
    int32_t start, sum;
} tinyc_qwindow_s2_i8;

/* Adds an output's middle column of three rows at `at`, or one of `fill` where there is none. */
TINYC_INLINE void tinyc_qmiddle_i8(tinyc_qwindow_s2_i8 *v, const int8_t *top, const int8_t *middle,
                                   const int8_t *bottom, int at, int inside, int fill)
{
    v->sum += (inside ? top[at] : fill) * v->k.w1;
    v->sum += (inside ? middle[at] : fill) * v->k.w4;
    v->sum += (inside ? bottom[at] : fill) * v->k.w7;
}

/* Adds an output's last column, which begins the next one, in the same way, and returns the output's sum. */
TINYC_INLINE int32_t tinyc_qlast_i8(tinyc_qwindow_s2_i8 *v, const int8_t *top, const int8_t *middle,
                                    const int8_t *bottom, int at, int inside, int fill)
{
    const int32_t t = inside ? top[at] : fill, m = inside ? middle[at] : fill, b = inside ? bottom[at] : fill;
    const int32_t done = v->sum + t * v->k.w2 + m * v->k.w5 + b * v->k.w8;
    v->sum = v->start + t * v->k.w0 + m * v->k.w3 + b * v->k.w6;
    return done;
}

/* As tinyc_qdepthwise3x3_i8, for stride 2 and at most 1 column `left`: each output's last column is the next one's
 * first, so there are 6 loads for 9 products. `out` may be one of the rows; `lean` as there.
 */
TINYC_INLINE void tinyc_qdepthwise3x3s2_i8(const int8_t **rows, const int8_t *w, const void *bias,
                                           const void *multiplier, const int8_t *shift, int8_t *out, int width,
                                           int channels, int out_width, int left, int fill, int lean, int zero, int low,
                                           int high, int shifts, int form)
{
    /* What is written could otherwise be thought to change the pointers. */
    const int8_t *top = rows[0], *middle = rows[1], *bottom = rows[2];
    const int8_t *const last = w + channels;
    /* The outputs whose last column lies in the row. */
    const int most = width + left < 3 ? 0 : (width + left - 3) / 2 + 1;
    const int fitting = lean ? 0 : most < out_width ? most : out_width;
    const int second = (1 - left) * channels;
    int8_t *to = out;
    do {
        const int32_t factor = tinyc_multiplier_i8(multiplier, 0, shifts, form);
        const int places = tinyc_shift_i8(shift, 0, form);
        const int32_t start = tinyc_bias_i8(bias, 0, shifts, form);
        tinyc_qwindow_s2_i8 v = {tinyc_qnine_i8(w, channels), start, 0};
        int8_t *const stop = to + fitting * channels;
        (void)tinyc_qlast_i8(&v, top, middle, bottom, 0, left == 0, fill);
        while (to != stop) {
            tinyc_qmiddle_i8(&v, top, middle, bottom, second, 1, fill);
            *to = tinyc_narrow_i8(tinyc_qlast_i8(&v, top, middle, bottom, second + channels, 1, fill), factor, places,
                                  zero, low, high, form);
            to += channels;
            top += 2 * channels;
            middle += 2 * channels;
            bottom += 2 * channels;
            TINYC_KEEP(top);
            TINYC_KEEP(middle);
            TINYC_KEEP(bottom);
        }
        for (int x = fitting; x < out_width; ++x) {
            const int at = second + 2 * (x - fitting) * channels;
            tinyc_qmiddle_i8(&v, top, middle, bottom, at, 2 * x + 1 - left < width, fill);
            *to =
                tinyc_narrow_i8(tinyc_qlast_i8(&v, top, middle, bottom, at + channels, 2 * x + 2 - left < width, fill),
                                factor, places, zero, low, high, form);
            to += channels;
        }
        top += 1 - fitting * 2 * channels;
        middle += 1 - fitting * 2 * channels;
        bottom += 1 - fitting * 2 * channels;
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
