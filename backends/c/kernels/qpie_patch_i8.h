#ifndef TINYC_QPIE_PATCH_I8_H
#define TINYC_QPIE_PATCH_I8_H

#include "common.h"
#include "pie_copy_i8.h"
#include "pixel_i8.h"

/* Copies the window of kh rows whose first column is `first`, each row of it to `pitch` elements of a patch: whole rows
 * if all columns are `inside`; columns outside are `pad`. Where pixels or rows are no multiples of 16 elements, they
 * are copied one by one. What is behind a row of the window meets weights of 0.
 */
TINYC_INLINE void tinyc_qpie_patch_i8(int8_t *patch, const int8_t **rows, const int8_t *pad, int inside, int first,
                                      int pitch, int width, int channels, int kh, int kw, int dilation)
{
    for (int ky = 0; ky < kh; ++ky) {
        if (inside && dilation == 1 && pitch % 16 == 0) {
            tinyc_pie_copy_i8(patch + ky * pitch, rows[ky] + first * channels, kw * channels);
            continue;
        }
        for (int kx = 0; kx < kw; ++kx) {
            int8_t *const to = patch + ky * pitch + kx * channels;
            const int8_t *const p = tinyc_pixel_i8(rows[ky], pad, first + kx * dilation, width, channels);
            if (channels % 16 == 0) {
                tinyc_pie_copy_i8(to, p, channels);
            } else {
                for (int c = 0; c < channels; ++c) {
                    to[c] = p[c];
                }
            }
        }
        for (int k = kw * channels; k < pitch; ++k) {
            patch[ky * pitch + k] = 0;
        }
    }
}

#endif
