#ifndef TINYC_PIE_TOTALS_I8_H
#define TINYC_PIE_TOTALS_I8_H

#include "common.h"
#include "pie.h"
#include "pie_lanes.h"

/* The totals of tinyc_pie_total_i8 into the first 16 words. */
TINYC_INLINE void tinyc_pie_totals_i8(int32_t *sums)
{
#if TINYC_PIE
    int32_t *from = sums + 16, *to;
    int32_t t, u;
    __asm__ volatile("ee.ld.qacc_l.l.128.ip %[sums], 16\n ee.ld.qacc_l.h.32.ip %[sums], 16\n"
                     "ee.ld.qacc_h.l.128.ip %[sums], 16\n ee.ld.qacc_h.h.32.ip %[sums], -48\n" TINYC_PIE_SUMS
                     : [sums] "+r"(from), [to] "=&r"(to), [t] "=&r"(t), [u] "=&r"(u)
                     :
                     : "memory");
#else
    for (int k = 0; k < 16; ++k) {
        sums[k] = sums[16 + k];
    }
#endif
}

#endif
