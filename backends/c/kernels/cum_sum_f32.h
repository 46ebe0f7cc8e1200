#ifndef TINYC_CUM_SUM_F32_H
#define TINYC_CUM_SUM_F32_H

#include "common.h"
#include "plus_f32.h"

/* Of each of `outer` * `inner` vectors of n elements, which lie `inner` apart, the sums of all elements up to each, or
 * with `exclusive` before each; with `reverse` from the end on.
 */
TINYC_INLINE void tinyc_cum_sum_f32(const float *x, float *restrict out, int outer, int n, int inner, int exclusive,
                                    int reverse)
{
    for (int o = 0; o < outer; ++o) {
        for (int k = 0; k < n; ++k) {
            const int at = (reverse ? n - 1 - k : k) * inner;
            const int before = reverse ? at + inner : at - inner;
            for (int i = 0; i < inner; ++i) {
                if (k == 0 && exclusive) {
                    out[at + i] = 0;
                } else if (k == 0 || (k == 1 && exclusive)) {
                    out[at + i] = x[(exclusive ? before : at) + i];
                } else {
                    out[at + i] = tinyc_plus_f32(out[before + i], x[(exclusive ? before : at) + i]);
                }
            }
        }
        x += n * inner;
        out += n * inner;
    }
}

#endif
