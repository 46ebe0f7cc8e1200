#ifndef TINYC_FILL_ROWS_F32_H
#define TINYC_FILL_ROWS_F32_H

#include "common.h"

/* Points rows[0..size-1] to rows first, first + dilation, ... of x, and to the row `pad` where x has no such row. x has
 * `height` rows and keeps `ring` of them.
 */
TINYC_NOINLINE void tinyc_fill_rows_f32(const float **rows, const float *x, const float *pad, int first, int size,
                                        int dilation, int height, int ring, int row)
{
    for (int k = 0; k < size; ++k) {
        const int y = first + k * dilation;
        rows[k] = (unsigned)y < (unsigned)height ? x + (unsigned)y % (unsigned)ring * (unsigned)row : pad;
    }
}

#endif
