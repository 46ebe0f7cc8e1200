#ifndef TINYC_MAC16_SUM_H
#define TINYC_MAC16_SUM_H

#include "common.h"
#include "mac16.h"

#if TINYC_MAC16
/* The products of 4 * turns + 4 elements behind x and w. */
#define TINYC_MAC16_QUADS                                                                                              \
    "ldinc m0, %[x]\n\t"                                                                                               \
    "mov %[p], %[w]\n\t"                                                                                               \
    "ldinc m2, %[p]\n\t"                                                                                               \
    "loopgtz %[turns], 1f\n\t"                                                                                         \
    "mula.dd.ll.ldinc m1, %[x], m0, m2\n\t"                                                                            \
    "mula.dd.hh.ldinc m3, %[p], m0, m2\n\t"                                                                            \
    "mula.dd.ll.ldinc m0, %[x], m1, m3\n\t"                                                                            \
    "mula.dd.hh.ldinc m2, %[p], m1, m3\n"                                                                              \
    "1:\n\t"                                                                                                           \
    "mula.dd.ll.ldinc m1, %[x], m0, m2\n\t"                                                                            \
    "mula.dd.hh.ldinc m3, %[p], m0, m2\n\t"                                                                            \
    "mula.dd.ll m1, m3\n\t"                                                                                            \
    "mula.dd.hh m1, m3\n\t"
#else
/* The sum of the products of 4 * quads elements of x and w, both from the third on, modulo 2^64. */
TINYC_INLINE uint64_t tinyc_mac16_products(const int16_t *x, const int16_t *w, int quads)
{
    uint64_t sum = 0;
    for (int i = 2; i < 4 * quads + 2; ++i) {
        sum += (uint64_t)(x[i] * w[i]);
    }
    return sum;
}
#endif

/* The low 32 bits of `start` and the products of 4 * quads elements, at least 4. Those of x and w begin two elements
 * behind where the pointers point, which are multiples of 4; x is moved by as many elements.
 */
TINYC_INLINE int32_t tinyc_mac16_sum(const int16_t **x, const int16_t *w, int quads, int32_t start)
{
#if TINYC_MAC16
    int32_t sum;
    const int16_t *to = *x, *p;
    __asm__ volatile("wsr %[start], acclo\n\t" TINYC_MAC16_QUADS "rsr %[sum], acclo"
                     : [x] "+&r"(to), [p] "=&r"(p), [sum] "=r"(sum)
                     : [w] "r"(w), [turns] "r"(quads - 1), [start] "r"(start)
                     : "memory");
    *x = to;
    return sum;
#else
    const uint64_t sum = tinyc_mac16_products(*x, w, quads) + (uint32_t)start;
    *x += 4 * quads;
    return (int32_t)(uint32_t)sum;
#endif
}

/* The same, of which 40 bits are computed: bits 8 to 39 of 256 * start and the products. */
TINYC_INLINE int32_t tinyc_mac16_wide_sum(const int16_t **x, const int16_t *w, int quads, int32_t start)
{
#if TINYC_MAC16
    uint32_t lower, upper;
    const int16_t *to = *x, *p;
    __asm__ volatile("wsr %[low], acclo\n\t"
                     "wsr %[high], acchi\n\t" TINYC_MAC16_QUADS "rsr %[lower], acclo\n\t"
                     "rsr %[upper], acchi"
                     : [x] "+&r"(to), [p] "=&r"(p), [lower] "=&r"(lower), [upper] "=r"(upper)
                     : [w] "r"(w), [turns] "r"(quads - 1), [low] "r"((uint32_t)start << 8), [high] "r"(start >> 24)
                     : "memory");
    *x = to;
    return (int32_t)(upper << 24 | lower >> 8);
#else
    const uint64_t sum = tinyc_mac16_products(*x, w, quads) + ((uint64_t)start << 8);
    *x += 4 * quads;
    return (int32_t)(uint32_t)(sum >> 8);
#endif
}

#endif
