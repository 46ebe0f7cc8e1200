#ifndef TINYC_GRU_F32_H
#define TINYC_GRU_F32_H

#include <stddef.h>

#include "common.h"
#include "gate_f32.h"
#include "gate_sums_f32.h"
#include "recurrent_at.h"

/* A gated recurrent unit: h' = (1 - z) * n + z * h, with gates in the order z, r, n, of which n sees r * (h r + rb) if
 * `after`, (r * h) r elsewhere.
 *
 * Weights are those of `lanes` gates together, then those of the others: [hidden][inputs][lanes] where they are
 * `packed`, [lanes][hidden][inputs] elsewhere; 3 lanes if `after`, else 2. Bias is [3][hidden]. `state` has room for
 * `hidden` numbers, unless `after` for three times as many.
 * Of a sequence that comes step by step, what goes from one to the next is kept in that memory: `carry` is 1 at the
 * first step and 2 at the others, 0 of a sequence that is there as a whole.
 */
TINYC_INLINE void tinyc_gru_f32(const float *x, const float *w, const float *r, const float *b, const float *h,
                                const float *rb, float *state, int carry, float *out, int steps, int batch, int inputs,
                                int hidden, int reverse, int every, int packed, float clip, int after, int f, float fa,
                                float fb, int g, float ga, float gb)
{
    float *const spare = state, *const updates = state + hidden, *const mixed = state + 2 * hidden;
    const int next = batch * hidden, lanes = after ? 3 : 2;
    const int unit = packed ? lanes : 1, element = packed ? lanes : 1;
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
                tinyc_sums_f32 read = {b[j], b[hidden + j], b[2 * hidden + j], 0.0f};
                tinyc_gate_sums_f32(&read, v, w + unit * j * inputs, inputs, lanes, packed ? 1 : hidden * inputs,
                                    element);
                tinyc_sums_f32 back = {read.s0, read.s1, after && rb != NULL ? rb[j] : 0.0f, 0.0f};
                tinyc_gate_sums_f32(&back, last, r + unit * j * hidden, hidden, lanes, packed ? 1 : hidden * hidden,
                                    element);
                const float update = tinyc_clipped_gate_f32(back.s0, clip, f, fa, fb);
                const float reset = tinyc_clipped_gate_f32(back.s1, clip, f, fa, fb);
                if (after) {
                    const float candidate = tinyc_clipped_gate_f32(read.s2 + reset * back.s2, clip, g, ga, gb);
                    to[j] = (1.0f - update) * candidate + update * last[j];
                } else {
                    updates[j] = update;
                    mixed[j] = reset * last[j];
                }
            }
            for (int j = 0; !after && j < hidden; ++j) {
                tinyc_sums_f32 sums = {b[2 * hidden + j], 0.0f, 0.0f, 0.0f};
                tinyc_gate_sums_f32(&sums, v, w + (2 * hidden + j) * inputs, inputs, 1, 0, 1);
                tinyc_gate_sums_f32(&sums, mixed, r + (2 * hidden + j) * hidden, hidden, 1, 0, 1);
                const float candidate = tinyc_clipped_gate_f32(sums.s0, clip, g, ga, gb);
                to[j] = (1.0f - updates[j]) * candidate + updates[j] * last[j];
            }
            last = to;
        }
        for (int j = 0; carry && j < hidden; ++j) {
            spare[j] = last[j];
        }
    }
}

#endif
