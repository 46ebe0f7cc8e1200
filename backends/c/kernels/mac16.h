#ifndef TINYC_MAC16_H
#define TINYC_MAC16_H

#include <string.h>

#include "common.h"

/* Sums of products of int16 by the MAC16 option of Xtensa cores: each instruction multiplies, adds to a sum of 40 bits
 * and loads what a later one multiplies. Where there is no MAC16, or TINYC_EMULATE is defined, C computes the same.
 *
 * The sum and the registers for operands, m0 to m3, do not outlive an asm statement. Compilers do not use them.
 */
#if defined(TINYC_EMULATE) || !defined(__GNUC__)
#define TINYC_MAC16 0
#elif defined(__XCHAL_HAVE_MAC16)
#define TINYC_MAC16 __XCHAL_HAVE_MAC16
#elif defined(__XTENSA_WINDOWED_ABI__)
/* Compilers that do not tell: what uses this file is made for a core with MAC16. */
#define TINYC_MAC16 1
#else
#define TINYC_MAC16 0
#endif

/* In which order bytes lie in words; where it is not known to be this one, words are put together from bytes. */
#if defined(__BYTE_ORDER__) && defined(__ORDER_LITTLE_ENDIAN__) && defined(__GNUC__)
#define TINYC_MAC16_LITTLE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
#else
#define TINYC_MAC16_LITTLE 0
#endif

/* The two bytes of every half of a word that lie above. */
#define TINYC_MAC16_UPPER 0xFF00FF00u

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

/* Whether words can be read at p as they are. */
TINYC_INLINE int tinyc_mac16_aligned(const int8_t *p)
{
    return TINYC_MAC16_LITTLE && ((uintptr_t)p & 3u) == 0;
}

/* Four elements in a word, the first one lowest. p is aligned as tinyc_mac16_aligned says. */
TINYC_INLINE uint32_t tinyc_mac16_load(const int8_t *p)
{
    uint32_t word;
#if TINYC_MAC16_LITTLE
    memcpy(&word, __builtin_assume_aligned(p, 4), 4);
#else
    word = (uint8_t)p[0] | (uint32_t)(uint8_t)p[1] << 8 | (uint32_t)(uint8_t)p[2] << 16 | (uint32_t)(uint8_t)p[3] << 24;
#endif
    return word;
}

/* Writes the halves of a word, the lower one first. `to` is a multiple of 4. */
TINYC_INLINE void tinyc_mac16_store(int16_t *to, uint32_t word)
{
#if TINYC_MAC16_LITTLE
    memcpy(__builtin_assume_aligned(to, 4), &word, 4);
#else
    to[0] = (int16_t)(uint16_t)word;
    to[1] = (int16_t)(uint16_t)(word >> 16);
#endif
}

#endif
