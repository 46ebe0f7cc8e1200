#ifndef TINYC_PIE_ADD_I8_H
#define TINYC_PIE_ADD_I8_H

#include "common.h"
#include "limit_i32.h"
#include "pie.h"

#if TINYC_PIE
/* Elements from any address, as 16 bits into two registers; q6 is 0. */
#define TINYC_PIE_WIDE(x, last, low, high)                                                                             \
    "ee.ld.128.usar.ip " low ", %[" x "], 16\n ee.vld.128.ip " high ", %[" last "], 0\n"                               \
    "ee.src.q " low ", " low ", " high "\n ee.vcmp.lt.s8 " high ", " low ", q6\n ee.vzip.8 " low ", " high "\n"
/* Eight sums of x and y into x; then c moves by `next`. */
#define TINYC_PIE_ADDED(x, y, next)                                                                                    \
    "ee.ldqa.s16.128.ip %[c], 16\n ee.vld.128.ip q4, %[c], 16\n ee.vmulas.s16.qacc.ld.ip q5, %[c], 16, " x ", q4\n"    \
    "ee.vmulas.s16.qacc.ld.ip q4, %[c], 16, " y ", q5\n ee.srcmb.s16.qacc q5, %[eight], 0\n"                           \
    "ee.vmulas.s16.qacc.ld.ip q5, %[c], 16, " x ", q4\n ee.vmulas.s16.qacc.ld.ip q4, %[c], " next ", " y ", q5\n"      \
    "ee.vmulas.s16.qacc q4, q7\n ee.srcmb.s16.qacc " x ", %[places], 0\n"
#endif

/* Up to 16 sums by whole factors, as tinyc_qadd_whole_i8 makes them, of operands from any address.
 *
 * c has, each eight times, 2^8, the lower 16 bits of `start`, which are signed, the lower 8 of a and of b, what is left
 * of a, of b and of start without these, and the limits. `places` are at least 8. Factors are below 2^22. out and c are
 * multiples of 16, and there is room for 16 results.
 */
TINYC_INLINE void tinyc_pie_add_i8(int8_t *out, const int8_t *x, const int8_t *y, const int16_t *c, int places, int n)
{
#if TINYC_PIE
    const int8_t *last = x + n - 1, *end = y + n - 1;
    __asm__ volatile("ee.zero.q q6\n" TINYC_PIE_WIDE("x", "last", "q0", "q1") TINYC_PIE_WIDE("y", "end", "q2", "q3")
                     "ee.vld.128.ip q7, %[c], 16\n" TINYC_PIE_ADDED("q0", "q2", "-80") TINYC_PIE_ADDED("q1", "q3", "16")
                     "ee.vld.128.ip q4, %[c], 16\n ee.vld.128.ip q5, %[c], 0\n"
                     "ee.vmax.s16 q0, q0, q4\n ee.vmax.s16 q1, q1, q4\n ee.vmin.s16 q0, q0, q5\n"
                     "ee.vmin.s16 q1, q1, q5\n ee.vunzip.8 q0, q1\n ee.vst.128.ip q0, %[out], 0\n"
                     : [x] "+r"(x), [y] "+r"(y), [last] "+r"(last), [end] "+r"(end), [c] "+r"(c), [out] "+r"(out)
                     : [eight] "r"(8), [places] "r"(places - 8)
                     : "memory");
#else
    const int32_t a = c[32] * 256 + c[16], b = c[40] * 256 + c[24], start = c[48] * 65536 + c[8];
    for (int k = 0; k < n; ++k) {
        out[k] = (int8_t)tinyc_limit_i32((x[k] * a + y[k] * b + start) >> places, c[56], c[64]);
    }
#endif
}

#endif
