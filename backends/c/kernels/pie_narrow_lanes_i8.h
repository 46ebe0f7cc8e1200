#ifndef TINYC_PIE_NARROW_LANES_I8_H
#define TINYC_PIE_NARROW_LANES_I8_H

#include "common.h"
#include "pie.h"
#include "pie_result_i8.h"
#include "pie_results.h"

#if TINYC_PIE
#define TINYC_PIE_BIASED_SUMS(t)                                                                                       \
    "ee.vld.128.ip q0, %[s], 16\n ee.vld.128.ip q1, %[f], 16\n ee.vadds.s32.ld.incp q2, %[s], q0, q0, q1\n"            \
    "ee.vld.128.ip q3, %[f], 16\n ee.vadds.s32.ld.incp q1, %[f], q2, q2, q3\n ee.vunzip.16 q0, q2\n"                   \
    "ee.xorq q0, q0, q6\n ee.vmul.s16.ld.incp q3, %[f], " t ", q0, q1\n"
#endif

/* As tinyc_pie_narrow_i8, of sums side by side to which the bias is added: f has, for 8 channels, 8 numbers of 32 bits
 * that are 2^15 greater than the bias, the lower half first, then the low factors and the high ones.
 */
TINYC_INLINE void tinyc_pie_narrow_lanes_i8(int8_t *out, const int32_t *s, const int16_t *f, const int16_t *c,
                                            int count)
{
#if TINYC_PIE
    TINYC_PIE_NARROW(count, TINYC_PIE_BIASED_SUMS)
#else
    for (int k = 0; k < count; ++k) {
        const int16_t *const of = f + k / 8 * 32;
        const int32_t bias = of[k % 8 * 2 + 1] * 65536 + (of[k % 8 * 2] & 0xffff) - 0x8000;
        out[k] = tinyc_pie_result_i8(s[k] + bias, of + 16 + k % 8, c);
    }
#endif
}

#endif
