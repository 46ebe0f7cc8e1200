#ifndef TINYC_PIE_PATCH_I8_H
#define TINYC_PIE_PATCH_I8_H

#include "common.h"
#include "pie.h"
#include "pie_lanes.h"

/* The sums of the products of so many vectors of a patch and of weights, lane by lane; one vector of weights more can
 * be read. No sum exceeds 20 bits on its way. `sums` as in tinyc_pie_taps_i8; all addresses are multiples of 16. Only
 * the first `lanes` sums count.
 */
TINYC_INLINE void tinyc_pie_patch_i8(int32_t *sums, const int8_t *patch, const int8_t *w, int vectors, int lanes)
{
#if TINYC_PIE
    int32_t *from = sums + 16, *to;
    int32_t t, u;
    (void)lanes;
    __asm__ volatile("ee.zero.qacc\n ee.vld.128.ip q1, %[w], 16\n"
                     "loop %[vectors], 1f\n"
                     "ee.vld.128.ip q0, %[patch], 16\n ee.vmulas.s8.qacc.ld.ip q1, %[w], 16, q0, q1\n"
                     "1:\n" TINYC_PIE_SUMS
                     : [patch] "+r"(patch), [w] "+r"(w), [sums] "+r"(from), [to] "=&r"(to), [t] "=&r"(t),
                       [u] "=&r"(u)
                     : [vectors] "r"(vectors)
                     : "memory");
#else
    for (int k = 0; k < lanes; ++k) {
        int32_t sum = 0;
        for (int i = 0; i < vectors; ++i) {
            sum += patch[16 * i + k] * w[16 * i + k];
        }
        sums[k] = sum;
    }
#endif
}

#endif
