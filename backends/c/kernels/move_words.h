#ifndef TINYC_MOVE_WORDS_H
#define TINYC_MOVE_WORDS_H

#include "common.h"
#include <string.h>

#if defined(__GNUC__)
#define TINYC_OF_WORDS(p) __builtin_assume_aligned(p, 4)
#else
#define TINYC_OF_WORDS(p) (p)
#endif

/* Copies `words` words of 4 bytes between addresses that are multiples of 4, to where nothing of them lies. */
TINYC_NOINLINE void tinyc_move_words(const void *from, void *to, int words)
{
    const unsigned char *x = (const unsigned char *)from;
    unsigned char *out = (unsigned char *)to;
    const unsigned char *const last = x + words / 8 * 32;
    while (x != last) {
        uint32_t eight[8];
        memcpy(eight, TINYC_OF_WORDS(x), 32);
        memcpy(TINYC_OF_WORDS(out), eight, 32);
        x += 32;
        out += 32;
    }
    for (int k = 0; k < words % 8; ++k) {
        memcpy(TINYC_OF_WORDS(out + 4 * k), TINYC_OF_WORDS(x + 4 * k), 4);
    }
}

#endif
