#ifndef TINYC_CLIP_ROWS_F32_H
#define TINYC_CLIP_ROWS_F32_H

#include "common.h"

/* Points rows[0..] to those of the rows first, first + dilation, ... that x has, and returns how many there are. x has
 * `height` rows and keeps `ring` of them.
 */
TINYC_NOINLINE int tinyc_clip_rows_f32(const float **rows, const float *x, int first, int size, int dilation,
                                       int height, int ring, int row)
{
    int count = 0;
    for (int k = 0; k < size; ++k) {
        const int y = first + k * dilation;
        if (y >= 0 && y < height) {
            rows[count++] = x + y % ring * row;
        }
    }
    return count;
}

#endif
