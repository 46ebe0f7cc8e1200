#ifndef TINYC_PIE_COPY_I8_H
#define TINYC_PIE_COPY_I8_H

#include "common.h"
#include "pie.h"

/* Copies n elements from any address to one that is a multiple of 16, in whole vectors: what is behind them is no
 * matter.
 */
TINYC_INLINE void tinyc_pie_copy_i8(int8_t *out, const int8_t *x, int n)
{
#if TINYC_PIE
    const int8_t *last = x + n - 1;
    if (n > 16) {
        __asm__ volatile("ee.ld.128.usar.ip q0, %[x], 16\n"
                         "loop %[count], 1f\n"
                         "ee.vld.128.ip q1, %[x], 16\n ee.src.q.qup q2, q0, q1\n ee.vst.128.ip q2, %[out], 16\n"
                         "1: ee.vld.128.ip q1, %[last], 0\n ee.src.q q0, q0, q1\n ee.vst.128.ip q0, %[out], 0\n"
                         : [x] "+r"(x), [out] "+r"(out), [last] "+r"(last)
                         : [count] "r"((n - 1) / 16)
                         : "memory");
    } else {
        __asm__ volatile("ee.ld.128.usar.ip q0, %[x], 16\n ee.vld.128.ip q1, %[last], 0\n ee.src.q q0, q0, q1\n"
                         "ee.vst.128.ip q0, %[out], 0\n"
                         : [x] "+r"(x), [out] "+r"(out), [last] "+r"(last)
                         :
                         : "memory");
    }
#else
    for (int k = 0; k < (n + 15) / 16 * 16; ++k) {
        out[k] = (int8_t)(k < n ? x[k] : 0);
    }
#endif
}

#endif
