#ifndef TINYC_PIE_TOTAL_I8_H
#define TINYC_PIE_TOTAL_I8_H

#include "common.h"
#include "pie.h"

/* Adds `count` (1 or more) pixels of `lanes` (1 to 16) channels, from any address and `step` apart, to the 16 totals
 * that are kept behind the first 16 of 32 words, as tinyc_pie_totals_i8 reads them; at first these are zeros. Fewer
 * than 4096 pixels in all fit a total. `sums` is a multiple of 16.
 */
TINYC_INLINE void tinyc_pie_total_i8(int32_t *sums, const int8_t *x, int step, int count, int lanes)
{
    int32_t *kept = sums + 16;
#if TINYC_PIE
    __asm__ volatile("ee.zero.q q6\n ee.vcmp.eq.s8 q7, q6, q6\n ee.vsubs.s8 q7, q6, q7\n"
                     "ee.ld.qacc_l.l.128.ip %[kept], 16\n ee.ld.qacc_l.h.32.ip %[kept], 16\n"
                     "ee.ld.qacc_h.l.128.ip %[kept], 16\n ee.ld.qacc_h.h.32.ip %[kept], -48\n"
                     "loop %[count], 1f\n"
                     "ee.ld.128.usar.xp q0, %[x], %[reach]\n ee.vld.128.xp q1, %[x], %[step]\n"
                     "ee.src.q q0, q0, q1\n ee.vmulas.s8.qacc q0, q7\n"
                     "1: ee.st.qacc_l.l.128.ip %[kept], 16\n ee.st.qacc_l.h.32.ip %[kept], 16\n"
                     "ee.st.qacc_h.l.128.ip %[kept], 16\n ee.st.qacc_h.h.32.ip %[kept], 0\n"
                     : [x] "+r"(x), [kept] "+r"(kept)
                     : [count] "r"(count), [reach] "r"(lanes - 1), [step] "r"(step - lanes + 1)
                     : "memory");
#else
    for (int i = 0; i < count; ++i) {
        for (int k = 0; k < lanes; ++k) {
            kept[k] += x[k];
        }
        x += step;
    }
#endif
}

#endif
