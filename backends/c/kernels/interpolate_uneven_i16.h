#ifndef TINYC_INTERPOLATE_UNEVEN_I16_H
#define TINYC_INTERPOLATE_UNEVEN_I16_H

#include "common.h"

/* n values of a table with straight lines between its entries. Cell c, of the 256 integers from 256 * c - 32768 on, has
 * the entries `first[c]` to `first[c + 1]`, at equal distances. `out` may be x.
 */
TINYC_INLINE void tinyc_interpolate_uneven_i16(const int16_t *x, const int16_t *table, const int16_t *first,
                                               int16_t *out, int n)
{
    for (int i = 0; i < n; ++i) {
        const int32_t u = x[i] + 32768;
        const int16_t *const cell = first + (u >> 8);
        const int32_t place = (u & 255) * (cell[1] - cell[0]);
        const int16_t *const t = table + cell[0] + (place >> 8);
        const int32_t moved = (t[1] - t[0]) * (place & 255);
        out[i] = (int16_t)(t[0] + ((moved + 128) >> 8));
    }
}

#endif
