#ifndef TINYC_PIE_NARROW_I8_H
#define TINYC_PIE_NARROW_I8_H

#include "common.h"
#include "pie.h"
#include "pie_result_i8.h"
#include "pie_results.h"

#if TINYC_PIE
#define TINYC_PIE_RAISED_SUMS(t)                                                                                       \
    "ee.vld.128.ip q0, %[s], 16\n ee.vld.128.ip q1, %[s], 16\n ee.vld.128.ip q2, %[s], 16\n"                           \
    "ee.vld.128.ip q3, %[s], 16\n ee.vunzip.32 q0, q1\n ee.vunzip.32 q2, q3\n ee.vunzip.16 q0, q2\n"                   \
    "ee.xorq q0, q0, q6\n ee.vsubs.s16.ld.incp q1, %[f], q2, q2, q7\n ee.vmul.s16.ld.incp q3, %[f], " t ", q0, q1\n"
#endif

/* The results of `count` (1 to 16) sums, as tinyc_pie_dots_i8 leaves them, each greater by TINYC_PIE_RAISED: sum *
 * factor / 2^31, rounded to the nearest, a half up, plus the zero point, and limited. That is what forms 2 and 3 of
 * tinyc_narrow_i8 give. `out` has room for 16 results.
 *
 * A factor is high * 2^15 + low / 2 with high from 0 to 2^15 - 1 and low even, both of 16 bits; f has the low ones of 8
 * channels, their high ones, and so on. A sum is h * 2^16 + l with l of 16 bits too. Where P is low * l / 2^16 rounded
 * down, (P + high * l + low * h + 2^15) / 2^16 rounded down, plus high * h, is exact. c has, each eight times, -2^15,
 * 2^14, 4 * zero point + 2, and the limits. All addresses are multiples of 16.
 */
TINYC_INLINE void tinyc_pie_narrow_i8(int8_t *out, const int32_t *s, const int16_t *f, const int16_t *c, int count)
{
#if TINYC_PIE
    TINYC_PIE_NARROW(count, TINYC_PIE_RAISED_SUMS)
#else
    for (int k = 0; k < count; ++k) {
        const int32_t sum = (int32_t)((uint32_t)s[2 * k] - TINYC_PIE_RAISED);
        out[k] = tinyc_pie_result_i8(sum, f + k / 8 * 16 + k % 8, c);
    }
#endif
}

#endif
