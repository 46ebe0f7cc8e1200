#ifndef TINYC_PIXEL_I8_H
#define TINYC_PIXEL_I8_H

#include "common.h"

/* The pixel in a column of a row of `width` pixels, or the one at `pad` where the row has no such column. */
TINYC_INLINE const int8_t *tinyc_pixel_i8(const int8_t *row, const int8_t *pad, int column, int width, int channels)
{
    return column >= 0 && column < width ? row + column * channels : pad;
}

#endif
