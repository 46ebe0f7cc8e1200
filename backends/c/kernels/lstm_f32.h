#ifndef TINYC_LSTM_F32_H
#define TINYC_LSTM_F32_H

#include <stddef.h>

#include "common.h"
#include "gate_f32.h"
#include "gate_sums_f32.h"
#include "recurrent_at.h"

/* A long short-term memory: c' = f * c + i * g and h' = o * k(c'), with gates in the order i, o, f, g.
 *
 * Weights are [hidden][inputs][4] and [hidden][hidden][4] where they are `packed`, [4][hidden][inputs] and
 * [4][hidden][hidden] elsewhere; bias [4][hidden], peepholes [3][hidden]. `state` has room for twice `hidden` numbers.
 * Unless `cell_at` is 0, the last c' is written there, behind the hidden states.
 * Of a sequence that comes step by step, what goes from one to the next is kept in that memory: `carry` is 1 at the
 * first step and 2 at the others, 0 of a sequence that is there as a whole.
 */
TINYC_INLINE void tinyc_lstm_f32(const float *x, const float *w, const float *r, const float *b, const float *h,
                                 const float *c, const float *p, float *state, int carry, float *out, int steps,
                                 int batch, int inputs, int hidden, int reverse, int every, int packed, int cell_at,
                                 float clip, int coupled, int f, float fa, float fb, int g, float ga, float gb, int k,
                                 float ka, float kb)
{
    float *const cell = state;
    float *const spare = state + hidden;
    const int next = batch * hidden;
    const int unit = packed ? 4 : 1, element = packed ? 4 : 1;
    for (int n = 0; n < batch; ++n) {
        const int begin = tinyc_recurrent_at(-1, steps, next, reverse, every);
        float *last = begin < 0 ? spare : out + begin + n * hidden;
        for (int j = 0; carry < 2 && j < hidden; ++j) {
            cell[j] = c != NULL ? c[n * hidden + j] : 0.0f;
            last[j] = h != NULL ? h[n * hidden + j] : 0.0f;
        }
        for (int t = 0; t < steps; ++t) {
            const float *const v = x + ((reverse ? steps - 1 - t : t) * batch + n) * inputs;
            const int at = tinyc_recurrent_at(t, steps, next, reverse, every);
            float *const to = at < 0 ? spare : out + at + n * hidden;
            for (int j = 0; j < hidden; ++j) {
                tinyc_sums_f32 z = {b[j], b[hidden + j], b[2 * hidden + j], b[3 * hidden + j]};
                tinyc_gate_sums_f32(&z, v, w + unit * j * inputs, inputs, 4, packed ? 1 : hidden * inputs, element);
                tinyc_gate_sums_f32(&z, last, r + unit * j * hidden, hidden, 4, packed ? 1 : hidden * hidden, element);
                if (p != NULL) {
                    z.s0 += p[j] * cell[j];
                    z.s2 += p[2 * hidden + j] * cell[j];
                }
                const float enter = tinyc_clipped_gate_f32(z.s0, clip, f, fa, fb);
                const float keep = coupled ? 1.0f - enter : tinyc_clipped_gate_f32(z.s2, clip, f, fa, fb);
                cell[j] = keep * cell[j] + enter * tinyc_clipped_gate_f32(z.s3, clip, g, ga, gb);
                if (p != NULL) {
                    z.s1 += p[hidden + j] * cell[j];
                }
                to[j] = tinyc_clipped_gate_f32(z.s1, clip, f, fa, fb) * tinyc_gate_f32(cell[j], k, ka, kb);
            }
            last = to;
        }
        for (int j = 0; carry && j < hidden; ++j) {
            spare[j] = last[j];
        }
        for (int j = 0; cell_at && j < hidden; ++j) {
            out[cell_at + n * hidden + j] = cell[j];
        }
    }
}

#endif
