#ifndef TINYC_PIE_TAPS_I8_H
#define TINYC_PIE_TAPS_I8_H

#include "common.h"
#include "pie.h"
#include "pie_lanes.h"

#if TINYC_PIE
#define TINYC_PIE_TAP(p, multiply)                                                                                     \
    "ee.ld.128.usar.xp q0, %[" #p "], %[reach]\n ee.vld.128.xp q1, %[" #p "], %[step]\n ee.src.q q0, q0, q1\n" multiply
#define TINYC_PIE_MORE "ee.vmulas.s8.qacc.ld.ip q2, %[w], 16, q0, q2\n"
#define TINYC_PIE_TAPS(p)                                                                                              \
    TINYC_PIE_TAP(p, TINYC_PIE_MORE) TINYC_PIE_TAP(p, TINYC_PIE_MORE) TINYC_PIE_TAP(p, TINYC_PIE_MORE)
#endif

/* The sums of the products of 3 x 3 pixels and up to 16 channels: `lanes` ones of pixels from any address, `step` apart
 * in three rows, and nine vectors of weights, which are 0 for other lanes. No sum exceeds 20 bits on its way. `sums`
 * has room for 32 numbers, of which the first 16 are then the sums; it and w are multiples of 16.
 */
TINYC_INLINE void tinyc_pie_taps_i8(int32_t *sums, const int8_t *top, const int8_t *middle, const int8_t *bottom,
                                    const int8_t *w, int step, int lanes)
{
#if TINYC_PIE
    int32_t *from = sums + 16, *to;
    int32_t t, u;
    __asm__ volatile("ee.zero.qacc\n ee.vld.128.ip q2, %[w], 16\n" TINYC_PIE_TAPS(a) TINYC_PIE_TAPS(b)
                         TINYC_PIE_TAP(c, TINYC_PIE_MORE) TINYC_PIE_TAP(c, TINYC_PIE_MORE)
                             TINYC_PIE_TAP(c, "ee.vmulas.s8.qacc q0, q2\n") TINYC_PIE_SUMS
                     : [a] "+r"(top), [b] "+r"(middle), [c] "+r"(bottom), [w] "+r"(w), [sums] "+r"(from),
                       [to] "=&r"(to), [t] "=&r"(t), [u] "=&r"(u)
                     : [reach] "r"(lanes - 1), [step] "r"(step - lanes + 1)
                     : "memory");
#else
    const int8_t *const rows[3] = {top, middle, bottom};
    for (int k = 0; k < lanes; ++k) {
        int32_t sum = 0;
        for (int i = 0; i < 9; ++i) {
            sum += rows[i / 3][i % 3 * step + k] * w[16 * i + k];
        }
        sums[k] = sum;
    }
#endif
}

#endif
