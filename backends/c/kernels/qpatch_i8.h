#ifndef TINYC_QPATCH_I8_H
#define TINYC_QPATCH_I8_H

#include "common.h"
#include "pixel_i8.h"

/* Copies the window of kh rows whose first column is `first`, [kh][kw][channels]. Columns outside the row are `pad`. */
TINYC_INLINE void tinyc_qpatch_i8(int8_t *patch, const int8_t **rows, const int8_t *pad, int first, int width,
                                  int channels, int kh, int kw, int dilation)
{
    for (int ky = 0; ky < kh; ++ky) {
        for (int kx = 0; kx < kw; ++kx) {
            const int8_t *p = tinyc_pixel_i8(rows[ky], pad, first + kx * dilation, width, channels);
            for (int c = 0; c < channels; ++c) {
                *patch++ = p[c];
            }
        }
    }
}

#endif
