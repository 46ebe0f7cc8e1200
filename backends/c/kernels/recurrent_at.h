#ifndef TINYC_RECURRENT_AT_H
#define TINYC_RECURRENT_AT_H

#include "common.h"

/* Where in the result the hidden state lies that step t (from 0) computes, or for -1 that which it begins with;
 * negative where it lies in spare memory instead. The result keeps all, `next` apart, the first step's last if in
 * reverse; or, where not every one is kept, the last step's, and by turns with it the others are in spare memory.
 */
TINYC_INLINE int tinyc_recurrent_at(int t, int steps, int next, int reverse, int every)
{
    if (every) {
        return t < 0 ? -1 : (reverse ? steps - 1 - t : t) * next;
    }
    return (steps - 1 - t) % 2 ? -1 : 0;
}

#endif
