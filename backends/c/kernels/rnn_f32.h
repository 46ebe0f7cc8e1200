#ifndef TINYC_RNN_F32_H
#define TINYC_RNN_F32_H

#include <stddef.h>

#include "common.h"
#include "gate_f32.h"
#include "gate_sums_f32.h"
#include "recurrent_at.h"

/* A plain recurrent layer: h' = f(x w + h r + b). Weights are [hidden][inputs] and [hidden][hidden].
 * Of a sequence that comes step by step, what goes from one to the next is kept in that memory: `carry` is 1 at the
 * first step and 2 at the others, 0 of a sequence that is there as a whole.
 */
TINYC_INLINE void tinyc_rnn_f32(const float *x, const float *w, const float *r, const float *b, const float *h,
                                float *spare, int carry, float *out, int steps, int batch, int inputs, int hidden,
                                int reverse, int every, float clip, int f, float fa, float fb)
{
    const int next = batch * hidden;
    for (int n = 0; n < batch; ++n) {
        const int begin = tinyc_recurrent_at(-1, steps, next, reverse, every);
        float *last = begin < 0 ? spare : out + begin + n * hidden;
        for (int j = 0; carry < 2 && j < hidden; ++j) {
            last[j] = h != NULL ? h[n * hidden + j] : 0.0f;
        }
        for (int t = 0; t < steps; ++t) {
            const float *const v = x + ((reverse ? steps - 1 - t : t) * batch + n) * inputs;
            const int at = tinyc_recurrent_at(t, steps, next, reverse, every);
            float *const to = at < 0 ? spare : out + at + n * hidden;
            for (int j = 0; j < hidden; ++j) {
                tinyc_sums_f32 sums = {b[j], 0.0f, 0.0f, 0.0f};
                tinyc_gate_sums_f32(&sums, v, w + j * inputs, inputs, 1, 0, 1);
                tinyc_gate_sums_f32(&sums, last, r + j * hidden, hidden, 1, 0, 1);
                to[j] = tinyc_clipped_gate_f32(sums.s0, clip, f, fa, fb);
            }
            last = to;
        }
        for (int j = 0; carry && j < hidden; ++j) {
            spare[j] = last[j];
        }
    }
}

#endif
