#ifndef TINYC_LIMIT_I32_H
#define TINYC_LIMIT_I32_H

#include "common.h"

/* The value nearest to v in low..high. Most values lie between: a jump over the others takes fewer instructions than a
 * choice between two values, which compilers make of it where they may.
 */
TINYC_INLINE int32_t tinyc_limit_i32(int32_t v, int32_t low, int32_t high)
{
    if (v < low) {
        v = low;
        TINYC_KEEP(v);
    }
    if (v > high) {
        v = high;
        TINYC_KEEP(v);
    }
    return v;
}

#endif
