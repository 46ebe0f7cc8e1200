#ifndef TINYC_QPIE_DEPTHWISE_I8_H
#define TINYC_QPIE_DEPTHWISE_I8_H

#include <stddef.h>

#include "common.h"
#include "pie.h"
#include "pie_copy_i8.h"
#include "pie_patch_i8.h"
#include "pie_store_i8.h"
#include "pixel_i8.h"
#include "qpie_lanes_i8.h"

/* `lanes` channels of a row: see tinyc_qpie_depthwise_i8. */
TINYC_INLINE void tinyc_qpie_depthwise_lanes_i8(const int8_t **rows, const int8_t *pad, const int8_t *w,
                                                const int32_t *bias, const int16_t *factors, const int16_t *constants,
                                                const int32_t *multiplier, const int8_t *shift, int8_t *patch,
                                                int8_t *restrict out, int width, int channels, int out_width, int kh,
                                                int kw, int stride, int dilation, int left, int skip, int lanes,
                                                int zero, int low, int high, int form)
{
    TINYC_ALIGNED16 int32_t sums[32];
    TINYC_ALIGNED16 int8_t results[16];
    for (int x = 0; x < out_width; ++x) {
        int8_t *to = patch;
        for (int ky = 0; ky < kh; ++ky) {
            int column = x * stride - left;
            for (int kx = 0; kx < kw; ++kx) {
                tinyc_pie_copy_i8(to, tinyc_pixel_i8(rows[ky], pad, column, width, channels) + skip, lanes);
                column += dilation;
                to += 16;
            }
        }
        tinyc_pie_patch_i8(sums, patch, w, kh * kw, lanes);
        tinyc_qpie_lanes_i8(results, sums, bias, factors, constants, multiplier, shift, lanes, zero, low, high, form);
        tinyc_pie_store_i8(out + x * channels, results, lanes);
    }
}

/* One output row of a depthwise convolution from kh input rows, one output channel for each input channel. Windows are
 * copied to `patch`, [kh][kw][16], for 16 channels at a time; weights have the same order, and a vector of zeros behind
 * them. The rest is as in tinyc_qpie_depthwise3x3_i8, but that `out` is none of the rows.
 */
TINYC_INLINE void tinyc_qpie_depthwise_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const int32_t *bias,
                                          const int16_t *factors, const int16_t *constants, const int32_t *multiplier,
                                          const int8_t *shift, int8_t *patch, int8_t *restrict out, int width,
                                          int channels, int out_width, int kh, int kw, int stride, int dilation,
                                          int left, int zero, int low, int high, int form)
{
    int skip = 0;
    for (; skip + 16 <= channels; skip += 16) {
        tinyc_qpie_depthwise_lanes_i8(rows, pad, w, bias, factors, constants, multiplier, shift, patch, out + skip,
                                      width, channels, out_width, kh, kw, stride, dilation, left, skip, 16, zero, low,
                                      high, form);
        w += 16 * kh * kw;
        factors = form == 4 ? factors + 64 : factors;
        bias = form == 4 ? bias : bias + 16;
        multiplier = form == 4 ? multiplier : multiplier + 16;
        shift = form >= 2 ? shift : shift + 16;
    }
    if (channels % 16) {
        tinyc_qpie_depthwise_lanes_i8(rows, pad, w, bias, factors, constants, multiplier, shift, patch, out + skip,
                                      width, channels, out_width, kh, kw, stride, dilation, left, skip, channels % 16,
                                      zero, low, high, form);
    }
}

#endif
