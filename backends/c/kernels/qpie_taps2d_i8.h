#ifndef TINYC_QPIE_TAPS2D_I8_H
#define TINYC_QPIE_TAPS2D_I8_H

#include <stddef.h>

#include "common.h"
#include "pie.h"
#include "pie_store_i8.h"
#include "pixel_i8.h"
#include "qpie_pixel_i8.h"
#include "qpie_sums_i8.h"

/* `lanes` output channels of one row: see tinyc_qpie_taps2d_i8. */
TINYC_INLINE void tinyc_qpie_taps2d_lanes_i8(const int8_t **rows, const int8_t *pad, const int8_t *w,
                                             const int32_t *bias, const int16_t *factors, const int16_t *constants,
                                             const int32_t *multiplier, const int8_t *shift, int8_t *restrict out,
                                             int width, int channels, int out_width, int kh, int kw, int stride,
                                             int dilation, int left, int vectors, int chunks, int last, int elements,
                                             int outputs, int lanes, int zero, int low, int high, int form)
{
    const int size = 16 * (vectors * (chunks - 1) + last);
    TINYC_ALIGNED16 int32_t sums[32];
    TINYC_ALIGNED16 int8_t results[16];
    for (int x = 0; x < out_width; ++x) {
        const int32_t *from = bias;
        const int8_t *part = w;
        for (int ky = 0; ky < kh; ++ky) {
            for (int kx = 0; kx < kw; ++kx) {
                const int8_t *const p =
                    tinyc_pixel_i8(rows[ky], pad, x * stride - left + kx * dilation, width, channels);
                tinyc_qpie_pixel_i8(sums, from, p, part, vectors, chunks, last, elements, lanes);
                from = sums;
                part += size * lanes;
            }
        }
        tinyc_qpie_sums_i8(results, sums, factors, constants, multiplier, shift, lanes, zero, low, high, form);
        tinyc_pie_store_i8(out + x * outputs, results, lanes);
    }
}

/* One output row of a convolution from kh input rows, for windows too large to be copied: pixel by pixel of the window,
 * as tinyc_qpie_pixels_i8, with weights [blocks][kh][kw] and so on. `left` columns of the zero point in `pad` lie
 * before each row.
 */
TINYC_INLINE void tinyc_qpie_taps2d_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const int32_t *bias,
                                       const int16_t *factors, const int16_t *constants, const int32_t *multiplier,
                                       const int8_t *shift, int8_t *restrict out, int width, int channels,
                                       int out_width, int kh, int kw, int stride, int dilation, int left, int vectors,
                                       int chunks, int last, int elements, int outputs, int blocks, int rest, int zero,
                                       int low, int high, int form)
{
    const int size = 16 * (vectors * (chunks - 1) + last);
    for (int k = 0; k < blocks; ++k) {
        tinyc_qpie_taps2d_lanes_i8(rows, pad, w, bias, factors, constants, multiplier, shift, out, width, channels,
                                   out_width, kh, kw, stride, dilation, left, vectors, chunks, last, elements, outputs,
                                   16, zero, low, high, form);
        w += 16 * kh * kw * size;
        bias += 32;
        factors = form == 4 ? factors + 32 : factors;
        multiplier = form == 4 ? multiplier : multiplier + 16;
        shift = form >= 2 ? shift : shift + 16;
        out += 16;
    }
    if (rest) {
        tinyc_qpie_taps2d_lanes_i8(rows, pad, w, bias, factors, constants, multiplier, shift, out, width, channels,
                                   out_width, kh, kw, stride, dilation, left, vectors, chunks, last, elements, outputs,
                                   rest, zero, low, high, form);
    }
}

#endif
