#ifndef TINYC_QRNN_I8_H
#define TINYC_QRNN_I8_H

#include <stddef.h>

#include "common.h"
#include "qgate_i8.h"
#include "recurrent_at.h"

/* A plain recurrent layer; see ir/ops/qrecurrent.py for the arithmetic. Weights are
 * [hidden][inputs] and [hidden][hidden]; `state` has room for `hidden` int8 numbers. `bounded` as
 * in qgate_i8.h.
 * Of a sequence that comes step by step, what goes from one to the next is kept in that memory: `carry` is 1 at the
 * first step and 2 at the others, 0 of a sequence that is there as a whole.
 */
TINYC_INLINE void tinyc_qrnn_i8(const int8_t *x, const int8_t *w, const int8_t *r, const int32_t *b, const int32_t *wm,
                                const int32_t *rm, const int32_t *h, const int16_t *table, int32_t *state, int carry,
                                int8_t *out, int steps, int batch, int inputs, int hidden, int reverse, int every,
                                int places, int32_t multiplier, int shift, int32_t zero, int32_t clip, int bounded,
                                int f, int32_t fa, int32_t fb)
{
    int8_t *const spare = (int8_t *)state;
    const int next = batch * hidden;
    for (int n = 0; n < batch; ++n) {
        const int begin = tinyc_recurrent_at(-1, steps, next, reverse, every);
        int8_t *last = begin < 0 ? spare : out + begin + n * hidden;
        for (int j = 0; carry < 2 && j < hidden; ++j) {
            last[j] = tinyc_qgate_narrow_i8(h != NULL ? h[n * hidden + j] : 0, multiplier, shift, zero);
        }
        for (int t = 0; t < steps; ++t) {
            const int8_t *const v = x + ((reverse ? steps - 1 - t : t) * batch + n) * inputs;
            const int at = tinyc_recurrent_at(t, steps, next, reverse, every);
            int8_t *const to = at < 0 ? spare : out + at + n * hidden;
            for (int j = 0; j < hidden; ++j) {
                tinyc_sums_i8 read = {0, 0, 0, 0}, back = read;
                tinyc_qgate_products_i8(&read, v, w + j * inputs, inputs, 1);
                tinyc_qgate_products_i8(&back, last, r + j * hidden, hidden, 1);
                const int64_t sums = (int64_t)read.s0 * wm[j] + (int64_t)back.s0 * rm[j];
                const int32_t z = tinyc_qgate_total_i8(sums, b[j], places, bounded);
                to[j] = tinyc_qgate_narrow_i8(tinyc_qgate_i8(z, table, clip, f, fa, fb), multiplier, shift, zero);
            }
            last = to;
        }
        for (int j = 0; carry && j < hidden; ++j) {
            spare[j] = last[j];
        }
    }
}

#endif
