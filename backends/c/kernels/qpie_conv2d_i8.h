#ifndef TINYC_QPIE_CONV2D_I8_H
#define TINYC_QPIE_CONV2D_I8_H

#include <stddef.h>

#include "common.h"
#include "pie.h"
#include "qpie_patch_i8.h"
#include "qpie_pixels_i8.h"

/* One output row of a convolution from kh input rows; `left` columns of the zero point in `pad` lie before each. The
 * windows of `tile` pixels are copied to `patches`, `next` elements apart, [kh][pitch] each, and are then pixels of
 * tinyc_qpie_pixels_i8. Those of `before` pixels at the row's begin and of `after` at its end reach beside the row.
 */
TINYC_INLINE void tinyc_qpie_conv2d_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const int32_t *bias,
                                       const int16_t *factors, const int16_t *constants, const int32_t *multiplier,
                                       const int8_t *shift, int8_t *patches, int8_t *restrict out, int tile, int next,
                                       int before, int after, int pitch, int width, int channels, int out_width, int kh,
                                       int kw, int stride, int dilation, int left, int vectors, int chunks, int last,
                                       int elements, int outputs, int blocks, int rest, int zero, int low, int high,
                                       int form)
{
    int x = 0;
    do {
        const int pixels = out_width - x < tile ? out_width - x : tile;
        for (int k = 0; k < pixels; ++k) {
            const int inside = x + k >= before && x + k < out_width - after;
            tinyc_qpie_patch_i8(patches + k * next, rows, pad, inside, (x + k) * stride - left, pitch, width, channels,
                                kh, kw, dilation);
        }
        tinyc_qpie_pixels_i8(patches, w, bias, factors, constants, multiplier, shift, out, pixels, next, vectors,
                             chunks, last, elements, outputs, blocks, rest, zero, low, high, form);
        out += pixels * outputs;
        x += pixels;
    } while (x < out_width);
}

#endif
