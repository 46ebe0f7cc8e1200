#ifndef TINYC_WLOOKUP_I8_H
#define TINYC_WLOOKUP_I8_H

#include "common.h"

/* n int16 values of a table that begins with that for -128. */
TINYC_INLINE void tinyc_wlookup_i8(const int8_t *x, const int16_t *table, int16_t *restrict out, int n)
{
    for (int i = 0; i < n; ++i) {
        out[i] = table[x[i] + 128];
    }
}

#endif
