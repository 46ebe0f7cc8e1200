#ifndef TINYC_PIE_RESULTS_H
#define TINYC_PIE_RESULTS_H

#include "pie.h"

#if TINYC_PIE
/* The results into `t`, from -2^15 to 2^15 - 1. In q0 are the lower halves of eight sums, signed, in q2 the upper ones,
 * in q1 the low factors, in q3 the high ones, and in `t` what is left of the products of q0 and q1 without the lower 16
 * bits; q6 and q7 are -2^15 and 2^14. The last time, the limits are loaded into q0 and q1 meanwhile.
 */
#define TINYC_PIE_RESULTS(t, zero, second, third)                                                                      \
    "ee.mov.s16.qacc " t "\n ee.vmulas.s16.qacc.ld.ip " t ", %[c], " zero ", q0, q3\n"                                 \
    "ee.vmulas.s16.qacc" second "q2, q1\n ee.vmulas.s16.qacc " t ", q7\n ee.srcmb.s16.qacc " t ", %[places], 0\n"      \
    "ee.vmulas.s16.qacc" third "q2, q3\n ee.srcmb.s16.qacc " t ", %[none], 0\n"
#define TINYC_PIE_FIRST(t) TINYC_PIE_RESULTS(t, "0", " ", " ")
#define TINYC_PIE_LAST(t) TINYC_PIE_RESULTS(t, "16", ".ld.ip q0, %[c], 16, ", ".ld.ip q1, %[c], 16, ")

/* The bytes of 8 or 16 sums from s; `halves` brings eight of them in the form above. */
#define TINYC_PIE_NARROW(count, halves)                                                                                \
    if (count > 8) {                                                                                                   \
        __asm__ volatile("ssai 16\n ee.vld.128.ip q6, %[c], 16\n ee.vld.128.ip q7, %[c], 16\n" halves("q4")            \
                             TINYC_PIE_FIRST("q4") halves("q5") TINYC_PIE_LAST("q5")                                   \
                         "ee.vmax.s16 q4, q4, q0\n ee.vmax.s16 q5, q5, q0\n ee.vmin.s16 q4, q4, q1\n"                  \
                         "ee.vmin.s16 q5, q5, q1\n ee.vunzip.8 q4, q5\n ee.vst.128.ip q4, %[out], 0\n"                 \
                         : [s] "+r"(s), [f] "+r"(f), [c] "+r"(c), [out] "+r"(out)                                      \
                         : [places] "r"(16), [none] "r"(0)                                                             \
                         : "memory");                                                                                  \
    } else {                                                                                                           \
        __asm__ volatile("ssai 16\n ee.vld.128.ip q6, %[c], 16\n ee.vld.128.ip q7, %[c], 16\n" halves("q4")            \
                             TINYC_PIE_LAST("q4")                                                                      \
                         "ee.vmax.s16 q4, q4, q0\n ee.vmin.s16 q4, q4, q1\n ee.vunzip.8 q4, q5\n"                      \
                         "ee.vst.128.ip q4, %[out], 0\n"                                                               \
                         : [s] "+r"(s), [f] "+r"(f), [c] "+r"(c), [out] "+r"(out)                                      \
                         : [places] "r"(16), [none] "r"(0)                                                             \
                         : "memory");                                                                                  \
    }
#endif

#endif
