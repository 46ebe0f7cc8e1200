#ifndef TINYC_QDEPTHWISE3X3S2_I8_H
#define TINYC_QDEPTHWISE3X3S2_I8_H

#include "common.h"
#include "narrow_i8.h"
#include "pixel_i8.h"
#include "unscheduled.h"

/* As tinyc_qdepthwise3x3_i8, for stride 2 and at most 1 column `left`: each output's last column is the next one's
 * first, so there are 6 loads for 9 products. `sum` is the output that the next two columns complete.
 */
TINYC_INLINE void tinyc_qdepthwise3x3s2_i8(const int8_t **rows, const int8_t *pad, const int8_t *w,
                                           const int32_t *bias, const int32_t *multiplier, const int8_t *shift,
                                           int8_t *restrict out, int width, int channels, int out_width, int left,
                                           int zero, int low, int high, int small)
{
    /* The outputs whose last column lies in the row. */
    const int most = width + left < 3 ? 0 : (width + left - 3) / 2 + 1;
    const int fitting = most < out_width ? most : out_width;
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
        int x = 0;
        for (; x < fitting; ++x) {
            const int at = (2 * x + 1 - left) * channels + c;
            sum += rows[0][at] * w1 + rows[1][at] * w4 + rows[2][at] * w7;
            t = rows[0][at + channels];
            m = rows[1][at + channels];
            b = rows[2][at + channels];
            *to = tinyc_narrow_i8(sum + t * w2 + m * w5 + b * w8, factor, places, zero, low, high, small);
            sum = start + t * w0 + m * w3 + b * w6;
            to += channels;
        }
        for (; x < out_width; ++x) {
            const int column = 2 * x + 1 - left;
            t = tinyc_pixel_i8(rows[0], pad, column, width, channels)[c];
            m = tinyc_pixel_i8(rows[1], pad, column, width, channels)[c];
            b = tinyc_pixel_i8(rows[2], pad, column, width, channels)[c];
            sum += t * w1 + m * w4 + b * w7;
            t = tinyc_pixel_i8(rows[0], pad, column + 1, width, channels)[c];
            m = tinyc_pixel_i8(rows[1], pad, column + 1, width, channels)[c];
            b = tinyc_pixel_i8(rows[2], pad, column + 1, width, channels)[c];
            *to = tinyc_narrow_i8(sum + t * w2 + m * w5 + b * w8, factor, places, zero, low, high, small);
            sum = start + t * w0 + m * w3 + b * w6;
            to += channels;
        }
    }
}

#endif
