#ifndef TINYC_MAC16_LOAD_H
#define TINYC_MAC16_LOAD_H

#include <string.h>

#include "common.h"
#include "mac16.h"

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

#endif
