#ifndef TINYC_QSOFTMAX_I8_H
#define TINYC_QSOFTMAX_I8_H

#include "common.h"
#include "high_apart_i32.h"
#include "put_wide.h"
#include "qsoftmax_exp_i32.h"
#include "reciprocal_i32.h"
#include "rounding_shift_i32.h"

/* Softmax over each of `count` rows of n elements, as TFLite computes it. Differences to the largest below diff_min
 * count for nothing. Exponentials are summed with 19 bits after the point. Results have `to` bytes: 1 for a scale of
 * 1/256 and a zero point of -128, 2 for a scale of 1/32768 and a zero point of 0. `out` may be x, if it has as many.
 * With `apart`, multiplications are calls.
 */
TINYC_INLINE void tinyc_qsoftmax_i8(const int8_t *x, void *out, int count, int n, int32_t multiplier, int left,
                                    int32_t diff_min, int apart, int to)
{
    const int places = to == 2 ? 28 : 35, zero = to == 2 ? 0 : -128, high = to == 2 ? 32767 : 127;
    for (int k = 0; k < count; ++k) {
        int most = x[0];
        int32_t total = 0;
        uint32_t aligned;
        int32_t scale;
        int headroom = 0;
        for (int i = 1; i < n; ++i) {
            most = x[i] > most ? x[i] : most;
        }
        for (int i = 0; i < n; ++i) {
            if (x[i] - most >= diff_min) {
                total += tinyc_rounding_shift_i32(tinyc_qsoftmax_exp_i32(x[i] - most, multiplier, left, apart), 12);
            }
        }
        for (aligned = (uint32_t)total; aligned < 0x80000000U; aligned += aligned) {
            ++headroom;
        }
        scale = tinyc_reciprocal_i32(aligned, apart);
        for (int i = 0; i < n; ++i) {
            if (x[i] - most >= diff_min) {
                const int32_t raised = tinyc_qsoftmax_exp_i32(x[i] - most, multiplier, left, apart);
                const int32_t share = tinyc_high_either_i32(raised, scale, apart);
                /* Of 31-bit numbers, more than 32 places leave as little as 32 do. */
                const int32_t v =
                    tinyc_rounding_shift_i32(share, headroom < places - 32 ? 32 : places - headroom) + zero;
                tinyc_put_wide(out, k * n + i, v > high ? high : v, to);
            } else {
                tinyc_put_wide(out, k * n + i, zero, to);
            }
        }
        x += n;
    }
}

#endif
