#ifndef TINYC_QDEPTHWISE3X3_I8_H
#define TINYC_QDEPTHWISE3X3_I8_H

#include "common.h"
#include "narrow_i8.h"
#include "pixel_i8.h"
#include "unscheduled.h"

/* One output row of a 3x3 depthwise convolution of stride 1, one output channel for each input channel.
 *
 * A channel's nine weights stay in registers while its columns pass by. Each column is read once and added to the
 * sums of the three outputs it belongs to: `sum` is the output it completes, `later` the one after that, and a third
 * begins with it. So there are 3 loads for 9 products. Up to 2 columns `left` of a row are read from `pad`, which holds
 * the zero point, and so are those right of it. `small` as in tinyc_narrow_i8.
 */
TINYC_INLINE void tinyc_qdepthwise3x3_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const int32_t *bias,
                                         const int32_t *multiplier, const int8_t *shift, int8_t *restrict out,
                                         int width, int channels, int out_width, int left, int zero, int low, int high,
                                         int small)
{
    /* The outputs whose last column lies in the row. */
    const int fitting = width + left - 2 < out_width ? width + left - 2 : out_width;
    for (int c = 0; c < channels; ++c) {
        const int32_t w0 = w[c], w1 = w[channels + c], w2 = w[2 * channels + c];
        const int32_t w3 = w[3 * channels + c], w4 = w[4 * channels + c], w5 = w[5 * channels + c];
        const int32_t w6 = w[6 * channels + c], w7 = w[7 * channels + c], w8 = w[8 * channels + c];
        const int32_t start = bias[c], factor = multiplier[c];
        const int places = shift[c];
        int8_t *to = out + c;
        int32_t t = tinyc_pixel_i8(rows[0], pad, -left, width, channels)[c];
        int32_t m = tinyc_pixel_i8(rows[1], pad, -left, width, channels)[c];
        int32_t b = tinyc_pixel_i8(rows[2], pad, -left, width, channels)[c];
        int32_t sum = start + t * w0 + m * w3 + b * w6;
        int32_t later;
        int x = 0;
        t = tinyc_pixel_i8(rows[0], pad, 1 - left, width, channels)[c];
        m = tinyc_pixel_i8(rows[1], pad, 1 - left, width, channels)[c];
        b = tinyc_pixel_i8(rows[2], pad, 1 - left, width, channels)[c];
        sum += t * w1 + m * w4 + b * w7;
        later = start + t * w0 + m * w3 + b * w6;
        for (; x < fitting; ++x) {
            const int at = (x + 2 - left) * channels + c;
            t = rows[0][at];
            m = rows[1][at];
            b = rows[2][at];
            *to = tinyc_narrow_i8(sum + t * w2 + m * w5 + b * w8, factor, places, zero, low, high, small);
            sum = later + t * w1 + m * w4 + b * w7;
            later = start + t * w0 + m * w3 + b * w6;
            to += channels;
        }
        for (; x < out_width; ++x) {
            t = pad[c];
            *to = tinyc_narrow_i8(sum + t * w2 + t * w5 + t * w8, factor, places, zero, low, high, small);
            sum = later + t * w1 + t * w4 + t * w7;
            later = start + t * w0 + t * w3 + t * w6;
            to += channels;
        }
    }
}

#endif
