#ifndef TINYC_PIE_MOST_I8_H
#define TINYC_PIE_MOST_I8_H

#include "common.h"
#include "pie.h"

/* The largest, lane by lane, of what `best` has and of `count` (1 or more) pixels of `lanes` (1 to 16) channels, from
 * any address and `step` apart, into `best`, a multiple of 16 with room for 16.
 */
TINYC_INLINE void tinyc_pie_most_i8(int8_t *best, const int8_t *x, int step, int count, int lanes)
{
#if TINYC_PIE
    __asm__ volatile("ee.vld.128.ip q2, %[best], 0\n"
                     "loop %[count], 1f\n"
                     "ee.ld.128.usar.xp q0, %[x], %[reach]\n ee.vld.128.xp q1, %[x], %[step]\n"
                     "ee.src.q q0, q0, q1\n ee.vmax.s8 q2, q2, q0\n"
                     "1: ee.vst.128.ip q2, %[best], 0\n"
                     : [x] "+r"(x), [best] "+r"(best)
                     : [count] "r"(count), [reach] "r"(lanes - 1), [step] "r"(step - lanes + 1)
                     : "memory");
#else
    for (int i = 0; i < count; ++i) {
        for (int k = 0; k < lanes; ++k) {
            best[k] = x[k] > best[k] ? x[k] : best[k];
        }
        x += step;
    }
#endif
}

#endif
