#ifndef TINYC_PIXEL_F32_H
#define TINYC_PIXEL_F32_H

#include "common.h"

/* The pixel in a column of a row of `width` pixels, or the one at `pad` where the row has no such column. */
TINYC_INLINE const float *tinyc_pixel_f32(const float *row, const float *pad, int column, int width, int channels)
{
    return column >= 0 && column < width ? row + column * channels : pad;
}

#endif
