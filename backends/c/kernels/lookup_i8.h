#ifndef TINYC_LOOKUP_I8_H
#define TINYC_LOOKUP_I8_H

#include "common.h"

/* n values of a table that begins with that for -128, four at a time. `out` may be x. */
TINYC_INLINE void tinyc_lookup_i8(const int8_t *x, const int8_t *table, int8_t *out, int n)
{
    const int8_t *const zero = table + 128;
    const int8_t *const last = x + n / 4 * 4;
    while (x != last) {
        out[0] = zero[x[0]];
        out[1] = zero[x[1]];
        out[2] = zero[x[2]];
        out[3] = zero[x[3]];
        x += 4;
        out += 4;
    }
    for (int i = 0; i < n % 4; ++i) {
        out[i] = zero[x[i]];
    }
}

#endif
