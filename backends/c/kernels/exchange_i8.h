#ifndef TINYC_EXCHANGE_I8_H
#define TINYC_EXCHANGE_I8_H

#include "common.h"

/* tinyc_exchange_i8 by words, two at once where their number is even. */
TINYC_INLINE void tinyc_exchange_words_i8(int32_t *to, int32_t *x, const int32_t *y, int count)
{
    const int together = count % 2 ? 1 : 2;
    for (int k = 0; k < count; k += together) {
        const int32_t first = x[k], second = x[k + together - 1];
        to[k] = first;
        x[k] = y[k];
        if (together == 2) {
            to[k + 1] = second;
            x[k + 1] = y[k + 1];
        }
    }
}

/* Moves `count` elements from x to `to`, and then as many from y in their place. x may be one of the others. A multiple
 * of four are moved by words, at addresses of words.
 */
TINYC_INLINE void tinyc_exchange_i8(int8_t *to, int8_t *x, const int8_t *y, int count)
{
    if (count % 4 == 0) {
        tinyc_exchange_words_i8((int32_t *)(void *)to, (int32_t *)(void *)x, (const int32_t *)(const void *)y,
                                count / 4);
        return;
    }
    for (int k = 0; k < count; ++k) {
        const int8_t moved = x[k];
        to[k] = moved;
        x[k] = y[k];
    }
}

#endif
