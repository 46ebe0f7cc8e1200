#ifndef TINYC_MAC16_WINDOW_H
#define TINYC_MAC16_WINDOW_H

#include "common.h"
#include "mac16.h"

#if TINYC_MAC16
/* Nine products of one half of words at x and the halves of a to e. */
#define TINYC_MAC16_NINE(half)                                                                                         \
    "wsr %[start], acclo\n\t"                                                                                          \
    "ldinc m0, %[x]\n\t"                                                                                               \
    "mula.da." half "l.ldinc m1, %[x], m0, %[a]\n\t"                                                                   \
    "mula.da." half "h.ldinc m0, %[x], m1, %[a]\n\t"                                                                   \
    "mula.da." half "l.ldinc m1, %[x], m0, %[b]\n\t"                                                                   \
    "mula.da." half "h.ldinc m0, %[x], m1, %[b]\n\t"                                                                   \
    "mula.da." half "l.ldinc m1, %[x], m0, %[c]\n\t"                                                                   \
    "mula.da." half "h.ldinc m0, %[x], m1, %[c]\n\t"                                                                   \
    "mula.da." half "l.ldinc m1, %[x], m0, %[d]\n\t"                                                                   \
    "mula.da." half "h.ldinc m0, %[x], m1, %[d]\n\t"                                                                   \
    "mula.da." half "l m0, %[e]\n\t"                                                                                   \
    "rsr %[sum], acclo"
#endif

/* Nine int16 in words, two and two, the first one below; the last stands alone. */
typedef struct {
    uint32_t a, b, c, d, e;
} tinyc_mac16_nine;

/* The low 32 bits of `start` and nine products of the weights and one half of words, the upper ones if `upper`. The
 * words begin one word behind *x, which is moved by nine.
 */
TINYC_INLINE int32_t tinyc_mac16_window(const int16_t **x, const tinyc_mac16_nine *w, int upper, int32_t start)
{
#if TINYC_MAC16
    int32_t sum;
    const int16_t *p = *x;
    if (upper) {
        __asm__ volatile(TINYC_MAC16_NINE("h")
                         : [x] "+&r"(p), [sum] "=r"(sum)
                         : [start] "r"(start), [a] "r"(w->a), [b] "r"(w->b), [c] "r"(w->c), [d] "r"(w->d), [e] "r"(w->e)
                         : "memory");
    } else {
        __asm__ volatile(TINYC_MAC16_NINE("l")
                         : [x] "+&r"(p), [sum] "=r"(sum)
                         : [start] "r"(start), [a] "r"(w->a), [b] "r"(w->b), [c] "r"(w->c), [d] "r"(w->d), [e] "r"(w->e)
                         : "memory");
    }
    *x = p;
    return sum;
#else
    const uint32_t words[5] = {w->a, w->b, w->c, w->d, w->e};
    uint32_t sum = (uint32_t)start;
    for (int i = 0; i < 9; ++i) {
        const int16_t weight = (int16_t)(uint16_t)(words[i / 2] >> i % 2 * 16);
        sum += (uint32_t)((*x)[2 + 2 * i + (upper ? 1 : 0)] * weight);
    }
    *x += 18;
    return (int32_t)sum;
#endif
}

#endif
