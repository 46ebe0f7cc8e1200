#ifndef TINYC_ROWS_F32_H
#define TINYC_ROWS_F32_H

#include "common.h"

/* Points rows[0..size-1] to rows first, first + dilation, ... of x, all of which exist. A row has `row` elements, and x
 * keeps `ring` rows: row y lies in place y % ring.
 */
TINYC_NOINLINE void tinyc_rows_f32(const float **rows, const float *x, int first, int size, int dilation, int ring,
                                   int row)
{
    for (int k = 0; k < size; ++k) {
        rows[k] = x + (first + k * dilation) % ring * row;
    }
}

#endif
