#ifndef TINYC_LOOKUP_I8_H
#define TINYC_LOOKUP_I8_H

#include "common.h"

/* n values of a table that begins with that for -128. `out` may be x. */
TINYC_INLINE void tinyc_lookup_i8(const int8_t *x, const int8_t *table, int8_t *out, int n)
{
    for (int i = 0; i < n; ++i) {
        out[i] = table[x[i] + 128];
    }
}

#endif
