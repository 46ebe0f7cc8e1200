#ifndef TINYC_PIE_STORE_I8_H
#define TINYC_PIE_STORE_I8_H

#include <stdint.h>

#include "common.h"
#include "pie.h"

/* Writes the first `count` (1 to 16) bytes of a vector in memory to any address: the core writes words to any. */
TINYC_INLINE void tinyc_pie_store_i8(int8_t *out, const int8_t *vector, int count)
{
    int k = 0;
#if TINYC_PIE
    if (count == 16 && ((uintptr_t)out & 15) == 0) {
        __asm__ volatile("ee.vld.128.ip q0, %[from], 0\n ee.vst.128.ip q0, %[to], 0\n"
                         : [from] "+r"(vector), [to] "+r"(out)
                         :
                         : "memory");
        return;
    }
    if (count == 16) {
        int32_t a, b;
        __asm__ volatile("l32i %[a], %[from], 0\n l32i %[b], %[from], 4\n s32i %[a], %[to], 0\n s32i %[b], %[to], 4\n"
                         "l32i %[a], %[from], 8\n l32i %[b], %[from], 12\n s32i %[a], %[to], 8\n s32i %[b], %[to], 12\n"
                         : [a] "=&r"(a), [b] "=&r"(b)
                         : [from] "r"(vector), [to] "r"(out)
                         : "memory");
        return;
    }
    for (; k + 4 <= count; k += 4) {
        int32_t word;
        __asm__ volatile("l32i %[word], %[from], 0\n s32i %[word], %[to], 0\n"
                         : [word] "=&r"(word)
                         : [from] "r"(vector + k), [to] "r"(out + k)
                         : "memory");
    }
#endif
    for (; k < count; ++k) {
        out[k] = vector[k];
    }
}

#endif
