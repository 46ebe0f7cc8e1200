#ifndef TINYC_EXCHANGE_F32_H
#define TINYC_EXCHANGE_F32_H

#include "common.h"

/* Moves `count` elements from x to `to`, and then as many from y in their place. x may be one of the others. */
TINYC_INLINE void tinyc_exchange_f32(float *to, float *x, const float *y, int count)
{
    for (int k = 0; k < count; ++k) {
        const float moved = x[k];
        to[k] = moved;
        x[k] = y[k];
    }
}

#endif
