#ifndef TINYC_QPIE_NINE_I8_H
#define TINYC_QPIE_NINE_I8_H

#include "common.h"
#include "pie_copy_i8.h"
#include "pixel_i8.h"

/* Copies `lanes` channels of the window that begins in column `first`, [9][16]. */
TINYC_INLINE void tinyc_qpie_nine_i8(int8_t *patch, const int8_t **rows, const int8_t *pad, int first, int width,
                                     int channels, int skip, int lanes)
{
    for (int ky = 0; ky < 3; ++ky) {
        tinyc_pie_copy_i8(patch, tinyc_pixel_i8(rows[ky], pad, first, width, channels) + skip, lanes);
        tinyc_pie_copy_i8(patch + 16, tinyc_pixel_i8(rows[ky], pad, first + 1, width, channels) + skip, lanes);
        tinyc_pie_copy_i8(patch + 32, tinyc_pixel_i8(rows[ky], pad, first + 2, width, channels) + skip, lanes);
        patch += 48;
    }
}

#endif
