#ifndef TINYC_QRNN_I16_H
#define TINYC_QRNN_I16_H

#include <stddef.h>

#include "common.h"
#include "qgate.h"
#include "recurrent_at.h"

/* A plain recurrent layer; see ir/ops/qrecurrent.py for the arithmetic. Weights are [hidden][inputs] and
 * [hidden][hidden]; `state` has room for `hidden` numbers of the hidden state's type. Elements of x have `x_bytes`
 * bytes, those of the hidden state `bytes`. `most`, `bounded` and `step` are as in qgate.h.
 * Of a sequence that comes step by step, what goes from one to the next is kept in that memory: `carry` is 1 at the
 * first step and 2 at the others, 0 of a sequence that is there as a whole.
 */
TINYC_INLINE void tinyc_qrnn_i16(const void *x, const int8_t *w, const int8_t *r, const int32_t *b, const int32_t *wm,
                                 const int32_t *rm, const int32_t *h, const short *table, int32_t *state, int carry,
                                 int16_t *out, int steps, int batch, int inputs, int hidden, int reverse, int every,
                                 int places, int32_t multiplier, int shift, int32_t zero, int x_bytes, int bytes,
                                 int most, int step, int32_t clip, int bounded, int f, int32_t fa, int32_t fb)
{
    int16_t *const spare = (int16_t *)state;
    const int next = batch * hidden;
    for (int n = 0; n < batch; ++n) {
        const int begin = tinyc_recurrent_at(-1, steps, next, reverse, every);
        int16_t *last = begin < 0 ? spare : out + begin + n * hidden;
        for (int j = 0; carry < 2 && j < hidden; ++j) {
            last[j] = (int16_t)tinyc_qgate_narrow(h != NULL ? h[n * hidden + j] : 0, multiplier, shift, zero, bytes);
        }
        for (int t = 0; t < steps; ++t) {
            const int8_t *const v = (const int8_t *)x + ((reverse ? steps - 1 - t : t) * batch + n) * inputs * x_bytes;
            const int at = tinyc_recurrent_at(t, steps, next, reverse, every);
            int16_t *const to = at < 0 ? spare : out + at + n * hidden;
            for (int j = 0; j < hidden; ++j) {
                const tinyc_qgate_sums read = tinyc_qgate_products(v, w + j * inputs, inputs, 1, x_bytes, most);
                const tinyc_qgate_sums back = tinyc_qgate_products(last, r + j * hidden, hidden, 1, bytes, most);
                const int64_t sums = read.s0 * wm[j] + back.s0 * rm[j];
                const int32_t z = tinyc_qgate_total(sums, b[j], places, bounded);
                to[j] = (int16_t)tinyc_qgate_narrow(tinyc_qgate(z, table, step, clip, f, fa, fb), multiplier, shift,
                                                    zero, bytes);
            }
            last = to;
        }
        for (int j = 0; carry && j < hidden; ++j) {
            spare[j] = last[j];
        }
    }
}

#endif
