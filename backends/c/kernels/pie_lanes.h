#ifndef TINYC_PIE_LANES_H
#define TINYC_PIE_LANES_H

#include "pie.h"

#if TINYC_PIE
/* The 20 bits of an even and of an odd lane, from words that begin anywhere. */
#define TINYC_PIE_EVEN(at, to) "l32i %[t], %[sums], " #at "\n sext %[t], %[t], 19\n s32i %[t], %[to], " #to "\n"
#define TINYC_PIE_ODD(at, to) "l32i %[u], %[sums], " #at "\n srai %[u], %[u], 12\n s32i %[u], %[to], " #to "\n"
/* The 16 sums of 20 bits into 16 words 64 bytes before %[sums], where they are stored as they are. */
#define TINYC_PIE_SUMS                                                                                                 \
    "ee.st.qacc_l.l.128.ip %[sums], 16\n ee.st.qacc_l.h.32.ip %[sums], 16\n"                                           \
    "ee.st.qacc_h.l.128.ip %[sums], 16\n ee.st.qacc_h.h.32.ip %[sums], -48\n"                                          \
    "addi %[to], %[sums], -64\n" TINYC_PIE_EVEN(0, 0) TINYC_PIE_ODD(16, 28) TINYC_PIE_EVEN(32, 32)                     \
        TINYC_PIE_ODD(48, 60) "addi %[sums], %[sums], 1\n" TINYC_PIE_ODD(0, 4) TINYC_PIE_EVEN(4, 8)                    \
            TINYC_PIE_ODD(32, 36) TINYC_PIE_EVEN(36, 40) "addi %[sums], %[sums], 1\n" TINYC_PIE_ODD(4, 12)             \
                TINYC_PIE_EVEN(8, 16) TINYC_PIE_ODD(36, 44) TINYC_PIE_EVEN(40, 48) "addi %[sums], %[sums], 1\n"        \
                    TINYC_PIE_ODD(8, 20) TINYC_PIE_EVEN(12, 24) TINYC_PIE_ODD(40, 52) TINYC_PIE_EVEN(44, 56)
#endif

#endif
