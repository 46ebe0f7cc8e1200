#ifndef TINYC_INTERPOLATE_I16_H
#define TINYC_INTERPOLATE_I16_H

#include "common.h"

/* n values of a table of 2^(16 - places) + 1 entries, the first for -32768, with straight lines between them. `out` may
 * be x.
 */
TINYC_INLINE void tinyc_interpolate_i16(const int16_t *x, const int16_t *table, int16_t *out, int n, int places)
{
    for (int i = 0; i < n; ++i) {
        const int32_t u = x[i] + 32768;
        const int16_t *const t = table + (u >> places);
        const int32_t moved = (t[1] - t[0]) * (u & ((1 << places) - 1));
        out[i] = (int16_t)(t[0] + ((moved + (1 << places >> 1)) >> places));
    }
}

#endif
