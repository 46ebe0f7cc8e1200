#ifndef TINYC_QMAC16_CONV2D_I8_H
#define TINYC_QMAC16_CONV2D_I8_H

#include <stddef.h>

#include "common.h"
#include "pixel_i8.h"
#include "qmac16_i8.h"
#include "qmac16_moved_i8.h"

/* Writes n elements as int16, in their order, and returns where the next one goes. */
TINYC_INLINE int16_t *tinyc_qmac16_run_i8(int16_t *to, const int8_t *p, int n)
{
    const int8_t *const whole = p + n / 4 * 4;
    while (p != whole) {
        to[0] = tinyc_qmac16_moved_i8(p[0]);
        to[1] = tinyc_qmac16_moved_i8(p[1]);
        to[2] = tinyc_qmac16_moved_i8(p[2]);
        to[3] = tinyc_qmac16_moved_i8(p[3]);
        to += 4;
        p += 4;
    }
    if (n % 4 > 0) {
        *to++ = tinyc_qmac16_moved_i8(p[0]);
    }
    if (n % 4 > 1) {
        *to++ = tinyc_qmac16_moved_i8(p[1]);
    }
    if (n % 4 > 2) {
        *to++ = tinyc_qmac16_moved_i8(p[2]);
    }
    return to;
}

/* Writes a window as tinyc_qpatch_i8 copies it, with zeros up to a multiple of four elements; returns where it ends. */
TINYC_INLINE int16_t *tinyc_qmac16_patch_i8(int16_t *to, const int8_t **rows, const int8_t *pad, int first, int width,
                                            int channels, int kh, int kw, int dilation)
{
    const int inside = dilation == 1 && (pad == NULL || (first >= 0 && first + kw <= width));
    for (int ky = 0; ky < kh; ++ky) {
        if (inside) {
            to = tinyc_qmac16_run_i8(to, rows[ky] + first * channels, kw * channels);
        } else {
            for (int kx = 0; kx < kw; ++kx) {
                const int8_t *p = tinyc_pixel_i8(rows[ky], pad, first + kx * dilation, width, channels);
                to = tinyc_qmac16_run_i8(to, p, channels);
            }
        }
    }
    for (int k = kh * kw * channels % 4; k % 4 != 0; ++k) {
        *to++ = 0;
    }
    return to;
}

/* One output row of a convolution from kh input rows, `band` pixels at a time; pad is NULL where no window reaches
 * beside them. See tinyc_qconv2d_i8 and tinyc_qmac16_i8.
 */
TINYC_INLINE void tinyc_qmac16_conv2d_i8(const int8_t **rows, const int8_t *pad, const int32_t *w, const int32_t *bias,
                                         const int32_t *multiplier, const int8_t *shift, int32_t *words,
                                         int8_t *restrict out, int band, int width, int channels, int out_width,
                                         int outputs, int kh, int kw, int stride, int dilation, int left, int wide,
                                         int zero, int low, int high, int form)
{
    const int quads = (kh * kw * channels + 3) / 4;
    for (int first = 0; first < out_width; first += band) {
        const int some = out_width - first < band ? out_width - first : band;
        int16_t *to = (int16_t *)(void *)(words + 1) + 4 * quads;
        for (int x = first; x < first + some; ++x) {
            to = tinyc_qmac16_patch_i8(to, rows, pad, x * stride - left, width, channels, kh, kw, dilation);
        }
        tinyc_qmac16_i8(w, bias, multiplier, shift, words, out, some, quads, outputs, wide, zero, low, high, form);
        out += some * outputs;
    }
}

#endif
