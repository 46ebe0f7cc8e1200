#ifndef TINYC_QLSTM_I16_H
#define TINYC_QLSTM_I16_H

#include <stddef.h>

#include "common.h"
#include "qgate.h"
#include "qgate_product_i32.h"
#include "recurrent_at.h"

/* A cell of gates that are at most 1: it grows by little, and is limited then. */
TINYC_INLINE int32_t tinyc_qlstm_cell_i16(int64_t products)
{
    return tinyc_limit_i32((int32_t)((products + 16384) >> 15), -(1 << 30), 1 << 30);
}

/* A long short-term memory; see ir/ops/qrecurrent.py for the arithmetic. Weights are [hidden][inputs][4] and
 * [hidden][hidden][4], bias and multipliers [hidden][4], with gates in the order i, o, f, g; peepholes [3][hidden].
 * `cell` has room for int32 numbers and then the hidden state's, `hidden` each. Elements of x have `x_bytes` bytes,
 * those of the hidden state `bytes`. `most`, `bounded` and `step` are as in qgate.h, `small` as in
 * qgate_product_i32.h.
 * Of a sequence that comes step by step, what goes from one to the next is kept in that memory: `carry` is 1 at the
 * first step and 2 at the others, 0 of a sequence that is there as a whole.
 */
TINYC_INLINE void tinyc_qlstm_i16(const void *x, const int8_t *w, const int8_t *r, const int32_t *b, const int32_t *wm,
                                  const int32_t *rm, const int32_t *h, const int32_t *c, const int32_t *p,
                                  const short *table, int32_t *cell, int carry, int16_t *out, int steps, int batch,
                                  int inputs, int hidden, int reverse, int every, int places, int32_t multiplier,
                                  int shift, int32_t zero, int x_bytes, int bytes, int most, int step, int32_t clip,
                                  int bounded, int small, int coupled, int f, int32_t fa, int32_t fb, int g, int32_t ga,
                                  int32_t gb, int k, int32_t ka, int32_t kb)
{
    int16_t *const spare = (int16_t *)(cell + hidden);
    const int next = batch * hidden;
    for (int n = 0; n < batch; ++n) {
        const int begin = tinyc_recurrent_at(-1, steps, next, reverse, every);
        int16_t *last = begin < 0 ? spare : out + begin + n * hidden;
        for (int j = 0; carry < 2 && j < hidden; ++j) {
            cell[j] = c != NULL ? c[n * hidden + j] : 0;
            last[j] = (int16_t)tinyc_qgate_narrow(h != NULL ? h[n * hidden + j] : 0, multiplier, shift, zero, bytes);
        }
        for (int t = 0; t < steps; ++t) {
            const int8_t *const v = (const int8_t *)x + ((reverse ? steps - 1 - t : t) * batch + n) * inputs * x_bytes;
            const int at = tinyc_recurrent_at(t, steps, next, reverse, every);
            int16_t *const to = at < 0 ? spare : out + at + n * hidden;
            for (int j = 0; j < hidden; ++j) {
                const int32_t *const rows = rm + 4 * j, *const columns = wm + 4 * j, *const from = b + 4 * j;
                const tinyc_qgate_sums read = tinyc_qgate_products(v, w + 4 * j * inputs, inputs, 4, x_bytes, most);
                const tinyc_qgate_sums back = tinyc_qgate_products(last, r + 4 * j * hidden, hidden, 4, bytes, most);
                int32_t i = tinyc_qgate_total(read.s0 * columns[0] + back.s0 * rows[0], from[0], places, bounded);
                int32_t o = tinyc_qgate_total(read.s1 * columns[1] + back.s1 * rows[1], from[1], places, bounded);
                int32_t keep = tinyc_qgate_total(read.s2 * columns[2] + back.s2 * rows[2], from[2], places, bounded);
                int32_t enter = tinyc_qgate_total(read.s3 * columns[3] + back.s3 * rows[3], from[3], places, bounded);
                if (p != NULL) {
                    i = tinyc_q15_limited_i32((int64_t)i + tinyc_q15_rounded_i32((int64_t)p[j] * cell[j]));
                    keep = tinyc_q15_limited_i32((int64_t)keep +
                                                 tinyc_q15_rounded_i32((int64_t)p[2 * hidden + j] * cell[j]));
                }
                i = tinyc_qgate(i, table, step, clip, f, fa, fb);
                keep = coupled ? 32768 - i : tinyc_qgate(keep, table, step, clip, f, fa, fb);
                enter = tinyc_qgate(enter, table, step, clip, g, ga, gb);
                cell[j] = small ? tinyc_qlstm_cell_i16((int64_t)keep * cell[j] + i * enter)
                                : tinyc_q15_rounded_i32((int64_t)keep * cell[j] + (int64_t)i * enter);
                if (p != NULL) {
                    o = tinyc_q15_limited_i32((int64_t)o + tinyc_q15_rounded_i32((int64_t)p[hidden + j] * cell[j]));
                }
                o = tinyc_qgate(o, table, step, clip, f, fa, fb);
                const int32_t shown = tinyc_q15_gate_i32(cell[j], table, step, k, ka, kb);
                to[j] = (int16_t)tinyc_qgate_narrow(tinyc_qgate_product_i32(o, shown, small), multiplier, shift, zero,
                                                    bytes);
            }
            last = to;
        }
        for (int j = 0; carry && j < hidden; ++j) {
            spare[j] = last[j];
        }
    }
}

#endif
