#ifndef TINYC_QPIE_DEPTHWISE3X3_I8_H
#define TINYC_QPIE_DEPTHWISE3X3_I8_H

#include <stddef.h>

#include "common.h"
#include "pie.h"
#include "pie_store_i8.h"
#include "pie_taps_i8.h"
#include "qpie_lanes_i8.h"
#include "qpie_nine_i8.h"

/* `lanes` channels of a row: see tinyc_qpie_depthwise3x3_i8. */
TINYC_INLINE void tinyc_qpie_channels_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const int32_t *bias,
                                         const int16_t *factors, const int16_t *constants, const int32_t *multiplier,
                                         const int8_t *shift, int8_t *out, int late, int before, int after, int width,
                                         int channels, int out_width, int stride, int left, int skip, int lanes,
                                         int zero, int low, int high, int form)
{
    TINYC_ALIGNED16 int32_t sums[32];
    TINYC_ALIGNED16 int8_t results[32] = {0}, patch[144];
    const int8_t *const top = rows[0], *const middle = rows[1], *const bottom = rows[2];
    int at = skip - left * channels;
    for (int x = 0; x < out_width; ++x) {
        int8_t *const result = results + (late > 1 ? x % 2 * 16 : 0);
        if (x >= before && x < out_width - after) {
            tinyc_pie_taps_i8(sums, top + at, middle + at, bottom + at, w, channels, lanes);
        } else {
            tinyc_qpie_nine_i8(patch, rows, pad, x * stride - left, width, channels, skip, lanes);
            tinyc_pie_taps_i8(sums, patch, patch + 48, patch + 96, w, 16, lanes);
        }
        at += stride * channels;
        if (late && x >= late) {
            tinyc_pie_store_i8(out - late * channels, result, lanes);
        }
        tinyc_qpie_lanes_i8(result, sums, bias, factors, constants, multiplier, shift, lanes, zero, low, high, form);
        if (!late) {
            tinyc_pie_store_i8(out, result, lanes);
        }
        out += channels;
    }
    for (int x = out_width > late ? out_width - late : 0; x < out_width; ++x) {
        tinyc_pie_store_i8(out + (x - out_width) * channels, results + (late > 1 ? x % 2 * 16 : 0), lanes);
    }
}

/* One output row of a 3x3 depthwise convolution, one output channel for each input channel; `left` columns of the zero
 * point in `pad` lie before each row. Windows of `before` pixels at the row's begin and of `after` at its end reach
 * beside it.
 *
 * `out` may be one of the rows: an output is written when `late` (0 to 2) more windows have been read.
 * Weights come in blocks of 16 channels, [9][16], with zeros for those that are not there. `form` is that of
 * tinyc_qpie_lanes_i8; in form 4, there are factors for whole blocks, in others bias, multiplier and shift.
 */
TINYC_INLINE void tinyc_qpie_depthwise3x3_i8(const int8_t **rows, const int8_t *pad, const int8_t *w,
                                             const int32_t *bias, const int16_t *factors, const int16_t *constants,
                                             const int32_t *multiplier, const int8_t *shift, int8_t *out, int late,
                                             int before, int after, int width, int channels, int out_width, int stride,
                                             int left, int zero, int low, int high, int form)
{
    int skip = 0;
    for (; skip + 16 <= channels; skip += 16) {
        tinyc_qpie_channels_i8(rows, pad, w, bias, factors, constants, multiplier, shift, out + skip, late, before,
                               after, width, channels, out_width, stride, left, skip, 16, zero, low, high, form);
        w += 144;
        factors = form == 4 ? factors + 64 : factors;
        bias = form == 4 ? bias : bias + 16;
        multiplier = form == 4 ? multiplier : multiplier + 16;
        shift = form >= 2 ? shift : shift + 16;
    }
    if (channels % 16) {
        tinyc_qpie_channels_i8(rows, pad, w, bias, factors, constants, multiplier, shift, out + skip, late, before,
                               after, width, channels, out_width, stride, left, skip, channels % 16, zero, low, high,
                               form);
    }
}

#endif
