#ifndef TINYC_QLEAN_I8_H
#define TINYC_QLEAN_I8_H

#include "channel_at_i8.h"
#include "common.h"
#include "qsums_i8.h"
#include "unpacked_i8.h"
#include "unscheduled.h"

/* `lanes` output channels, four or one, of two pixels `next` apart. The weights of elements are `step` apart. */
TINYC_INLINE void tinyc_qlean_tile_i8(const int8_t *x, const int8_t *w, const int32_t *bias, const int32_t *multiplier,
                                      const int8_t *shift, int8_t *restrict out, int lanes, int halves, int next,
                                      int step, int inputs, int out_next, int zero, int low, int high, int form)
{
    const int8_t *const end = x + inputs;
    tinyc_sums_i8 a = {bias[0], lanes > 1 ? bias[1] : 0, lanes > 2 ? bias[2] : 0, lanes > 3 ? bias[3] : 0};
    tinyc_sums_i8 b = a, none = a;
    /* An odd one first, if four channels gain by turns of two. */
    const int turn = lanes > 1 ? 2 : 1;
    if (inputs % turn) {
        tinyc_qadd_element_i8(&a, &b, &none, &none, x, w, lanes, halves, 2, next);
        ++x;
        w += step;
    }
    while (x != end) {
        tinyc_qadd_element_i8(&a, &b, &none, &none, x, w, lanes, halves, 2, next);
        if (turn > 1) {
            tinyc_qadd_element_i8(&a, &b, &none, &none, x + 1, w + step, lanes, halves, 2, next);
        }
        x += turn;
        w += turn * step;
    }
    tinyc_qstore_tile_i8(out, a, b, none, none, multiplier, shift, lanes, 2, out_next, zero, low, high, form);
}

/* A 1x1 convolution of at least one pixel, or a dense layer of a row, by as little code as can be, with geometry that
 * is known at run time alone. Pixels come in twos; the last two may have one that was computed already, or be the same.
 *
 * Weights come as in tinyc_qpointwise_i8, none paired. Bias, multiplier and shift have one entry an output channel (see
 * channel_i8.h for `shifts`); `form` as in tinyc_narrow_i8.
 */
TINYC_INLINE void tinyc_qlean_i8(const int8_t *x, const int8_t *w, const void *bias, const void *multiplier,
                                 const int8_t *shift, int8_t *restrict out, int pixels, int inputs, int outputs,
                                 int halves, int zero, int low, int high, int shifts, int form)
{
    const int32_t *biases, *multipliers;
    int32_t unpacked[8];
    const int next = pixels > 1 ? inputs : 0;
    const int out_next = pixels > 1 ? outputs : 0;
    int left = outputs;
    while (left) {
        const int whole = left > 3;
        tinyc_unpacked_i8(&biases, &multipliers, unpacked, bias, multiplier, whole ? 4 : 1, shifts, form);
        for (int i = 0; i < pixels; i += 2) {
            const int at = i + 2 > pixels && i > 0 ? i - 1 : i;
            if (whole) {
                tinyc_qlean_tile_i8(x + at * inputs, w, biases, multipliers, shift, out + at * outputs, 4, halves, next,
                                    halves ? 2 : 4, inputs, out_next, zero, low, high, form);
            } else {
                tinyc_qlean_tile_i8(x + at * inputs, w, biases, multipliers, shift, out + at * outputs, 1, 0, next,
                                    outputs % 4, inputs, out_next, zero, low, high, form);
            }
        }
        w += whole ? (halves ? 2 : 4) * inputs : 1;
        bias = tinyc_bias_at_i8(bias, whole ? 4 : 1, form);
        multiplier = tinyc_multiplier_at_i8(multiplier, whole ? 4 : 1, form);
        shift = form >= 2 ? shift : shift + (whole ? 4 : 1);
        out += whole ? 4 : 1;
        left -= whole ? 4 : 1;
    }
}

#endif
