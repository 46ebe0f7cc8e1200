#ifndef TINYC_RECURRENT_AT_F32_H
#define TINYC_RECURRENT_AT_F32_H

#include "common.h"

/* Where the hidden state of `hidden` elements lies that step t (from 0) computes, or for -1 that which it begins with.
 * The result keeps all, `next` apart, the first step's last if in reverse; or, where not every one is kept, the last
 * step's, and by turns with it the others are in `spare`.
 */
TINYC_INLINE float *tinyc_recurrent_at_f32(float *out, float *spare, int t, int steps, int next, int reverse,
                                           int every)
{
    if (every) {
        return t < 0 ? spare : out + (reverse ? steps - 1 - t : t) * next;
    }
    return (steps - 1 - t) % 2 ? spare : out;
}

#endif
