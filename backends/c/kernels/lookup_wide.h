#ifndef TINYC_LOOKUP_WIDE_H
#define TINYC_LOOKUP_WIDE_H

#include "common.h"

/* n int16 values of a table that begins with that for -128. */
TINYC_INLINE void tinyc_lookup_wide(const int8_t *x, const int16_t *table, int16_t *restrict out, int n)
{
    for (int i = 0; i < n; ++i) {
        out[i] = table[x[i] + 128];
    }
}

#endif
