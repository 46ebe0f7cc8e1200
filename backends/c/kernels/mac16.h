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
