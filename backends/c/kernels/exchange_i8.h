#ifndef TINYC_EXCHANGE_I8_H
#define TINYC_EXCHANGE_I8_H

#include "common.h"
#include "exchange_i32.h"

/* Moves `count` elements from x to `to`, and as many from y in their place. x may be y. A multiple of four are moved by
 * words, at addresses of words.
 */
TINYC_INLINE void tinyc_exchange_i8(int8_t *to, int8_t *x, const int8_t *y, int count)
{
    if (count % 4 == 0) {
        tinyc_exchange_i32((int32_t *)(void *)to, (int32_t *)(void *)x, (const int32_t *)(const void *)y, count / 4);
        return;
    }
    for (int k = 0; k < count; ++k) {
        const int8_t moved = x[k];
        x[k] = y[k];
        to[k] = moved;
    }
}

#endif
