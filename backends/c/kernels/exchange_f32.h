#ifndef TINYC_EXCHANGE_F32_H
#define TINYC_EXCHANGE_F32_H

#include "common.h"

/* Moves `count` elements from x to `to`, and as many from y in their place. x may be y. */
TINYC_INLINE void tinyc_exchange_f32(float *to, float *x, const float *y, int count)
{
    const float *const end = to + (count & ~1);
    while (to != end) {
        const float first = x[0], second = x[1];
        x[0] = y[0];
        x[1] = y[1];
        to[0] = first;
        to[1] = second;
        to += 2;
        x += 2;
        y += 2;
    }
    if (count % 2) {
        const float last = *x;
        *x = *y;
        *to = last;
    }
}

#endif
