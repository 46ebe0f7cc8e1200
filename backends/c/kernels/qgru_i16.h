#ifndef TINYC_QGRU_I16_H
#define TINYC_QGRU_I16_H

#include <stddef.h>

#include "common.h"
#include "qgate.h"
#include "qgate_product_i32.h"
#include "recurrent_at.h"

/* A candidate and the state before it, by an update gate; all of at most 1 if they are `small`. */
TINYC_INLINE int32_t tinyc_qgru_mixed_i16(int32_t update, int32_t candidate, int32_t wide, int small)
{
    return small ? ((32768 - update) * candidate + update * wide + 16384) >> 15
                 : tinyc_q15_rounded_i32((int64_t)(32768 - update) * candidate + (int64_t)update * wide);
}

/* The sum of two gates' sums, which constants may keep within 2^30 as well. */
TINYC_INLINE int32_t tinyc_qgru_sum_i16(int32_t x, int32_t y, int bounded)
{
    return bounded ? x + y : tinyc_q15_limited_i32((int64_t)x + y);
}

/* A gated recurrent unit; see ir/ops/qrecurrent.py for the arithmetic. Weights are [hidden][inputs][3] and
 * [hidden][hidden][3], bias and multipliers [hidden][3], with gates in the order z, r, n; unless `after`, weights of n
 * follow those of both others, [hidden][inputs][2] and [hidden][hidden][2]. `wide` has room for `hidden` int32 numbers
 * and as many of the hidden state's type; unless `after` for as many int32 ones again in front, and a multiple of four
 * of that type. Elements of x have `x_bytes` bytes, those of the hidden state `bytes`. `most`, `bounded` and `step` are
 * as in qgate.h, `small` as in qgate_product_i32.h.
 * Of a sequence that comes step by step, what goes from one to the next is kept in that memory: `carry` is 1 at the
 * first step and 2 at the others, 0 of a sequence that is there as a whole.
 */
TINYC_INLINE void tinyc_qgru_i16(const void *x, const int8_t *w, const int8_t *r, const int32_t *b, const int32_t *wm,
                                 const int32_t *rm, const int32_t *h, const int32_t *rb, const short *table,
                                 int32_t *wide, int carry, int16_t *out, int steps, int batch, int inputs, int hidden,
                                 int reverse, int every, int places, int32_t multiplier, int shift, int32_t zero,
                                 int x_bytes, int bytes, int most, int step, int32_t clip, int bounded, int small,
                                 int after, int f, int32_t fa, int32_t fb, int g, int32_t ga, int32_t gb)
{
    int32_t *const updates = wide + hidden;
    int16_t *const mixed = (int16_t *)(wide + 2 * hidden);
    int16_t *const spare = after ? (int16_t *)(wide + hidden) : mixed + (hidden + 3) / 4 * 4;
    const int lanes = after ? 3 : 2, next = batch * hidden;
    for (int n = 0; n < batch; ++n) {
        const int begin = tinyc_recurrent_at(-1, steps, next, reverse, every);
        int16_t *last = begin < 0 ? spare : out + begin + n * hidden;
        for (int j = 0; carry < 2 && j < hidden; ++j) {
            wide[j] = h != NULL ? h[n * hidden + j] : 0;
            last[j] = (int16_t)tinyc_qgate_narrow(wide[j], multiplier, shift, zero, bytes);
        }
        for (int t = 0; t < steps; ++t) {
            const int8_t *const v = (const int8_t *)x + ((reverse ? steps - 1 - t : t) * batch + n) * inputs * x_bytes;
            const int at = tinyc_recurrent_at(t, steps, next, reverse, every);
            int16_t *const to = at < 0 ? spare : out + at + n * hidden;
            for (int j = 0; j < hidden; ++j) {
                const int32_t *const rows = rm + 3 * j, *const columns = wm + 3 * j, *const from = b + 3 * j;
                const tinyc_qgate_sums read =
                    tinyc_qgate_products(v, w + lanes * j * inputs, inputs, lanes, x_bytes, most);
                const tinyc_qgate_sums back =
                    tinyc_qgate_products(last, r + lanes * j * hidden, hidden, lanes, bytes, most);
                const int64_t first = read.s0 * columns[0] + back.s0 * rows[0];
                const int64_t second = read.s1 * columns[1] + back.s1 * rows[1];
                const int32_t update =
                    tinyc_qgate(tinyc_qgate_total(first, from[0], places, bounded), table, step, clip, f, fa, fb);
                const int32_t reset =
                    tinyc_qgate(tinyc_qgate_total(second, from[1], places, bounded), table, step, clip, f, fa, fb);
                if (after) {
                    const int32_t recalled =
                        tinyc_qgate_total(back.s2 * rows[2], rb != NULL ? rb[j] : 0, places, bounded);
                    const int32_t fresh = tinyc_qgate_total(read.s2 * columns[2], from[2], places, bounded);
                    /* A reset gate of at most 1 leaves no more than there was. */
                    const int32_t kept = small ? (int32_t)(((int64_t)reset * recalled + 16384) >> 15)
                                               : tinyc_q15_rounded_i32((int64_t)reset * recalled);
                    const int32_t z = tinyc_qgru_sum_i16(fresh, kept, bounded && small);
                    const int32_t candidate = tinyc_qgate(z, table, step, clip, g, ga, gb);
                    wide[j] = tinyc_qgru_mixed_i16(update, candidate, wide[j], small);
                    to[j] = (int16_t)tinyc_qgate_narrow(wide[j], multiplier, shift, zero, bytes);
                } else {
                    updates[j] = update;
                    mixed[j] = (int16_t)tinyc_qgate_narrow(tinyc_qgate_product_i32(reset, wide[j], small), multiplier,
                                                           shift, zero, bytes);
                }
            }
            for (int j = 0; !after && j < hidden; ++j) {
                const tinyc_qgate_sums read =
                    tinyc_qgate_products(v, w + (2 * hidden + j) * inputs, inputs, 1, x_bytes, most);
                const tinyc_qgate_sums back =
                    tinyc_qgate_products(mixed, r + (2 * hidden + j) * hidden, hidden, 1, bytes, most);
                const int64_t sums = read.s0 * wm[3 * j + 2] + back.s0 * rm[3 * j + 2];
                const int32_t z = tinyc_qgate_total(sums, b[3 * j + 2], places, bounded);
                const int32_t candidate = tinyc_qgate(z, table, step, clip, g, ga, gb);
                wide[j] = tinyc_qgru_mixed_i16(updates[j], candidate, wide[j], small);
                to[j] = (int16_t)tinyc_qgate_narrow(wide[j], multiplier, shift, zero, bytes);
            }
            last = to;
        }
        for (int j = 0; carry && j < hidden; ++j) {
            spare[j] = last[j];
        }
    }
}

#endif
