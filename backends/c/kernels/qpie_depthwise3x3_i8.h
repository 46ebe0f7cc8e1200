#ifndef TINYC_QPIE_DEPTHWISE3X3_I8_H
#define TINYC_QPIE_DEPTHWISE3X3_I8_H

#include <stddef.h>

#include "common.h"
#include "narrow_i8.h"
#include "pie.h"
#include "pie_copy_i8.h"
#include "pie_narrow_lanes_i8.h"
#include "pie_store_i8.h"
#include "pie_taps_i8.h"
#include "pixel_i8.h"
#include "shift_i8.h"

/* The sums of one pixel, whose window begins in column `first`; that of a pixel not `inside` is copied to `patch`. */
TINYC_INLINE void tinyc_qpie_window_i8(int32_t *sums, int8_t *patch, const int8_t **rows, const int8_t *pad,
                                       const int8_t *w, int inside, int first, int width, int channels, int skip,
                                       int lanes)
{
    if (inside) {
        const int at = first * channels + skip;
        tinyc_pie_taps_i8(sums, rows[0] + at, rows[1] + at, rows[2] + at, w, channels, lanes);
        return;
    }
    for (int k = 0; k < 9; ++k) {
        const int8_t *const p = tinyc_pixel_i8(rows[k / 3], pad, first + k % 3, width, channels);
        tinyc_pie_copy_i8(patch + 16 * k, p + skip, lanes);
    }
    tinyc_pie_taps_i8(sums, patch, patch + 48, patch + 96, w, 16, lanes);
}

/* `lanes` channels of a row: see tinyc_qpie_depthwise3x3_i8. */
TINYC_INLINE void tinyc_qpie_channels_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const int32_t *bias,
                                         const int16_t *factors, const int16_t *constants, const int32_t *multiplier,
                                         const int8_t *shift, int8_t *out, int late, int before, int after, int width,
                                         int channels, int out_width, int stride, int left, int skip, int lanes,
                                         int zero, int low, int high, int form)
{
    TINYC_ALIGNED16 int32_t sums[32];
    TINYC_ALIGNED16 int8_t results[32], patch[144];
    for (int x = 0; x < out_width; ++x) {
        const int inside = x >= before && x < out_width - after;
        int8_t *const result = results + (late > 1 ? x % 2 * 16 : 0);
        tinyc_qpie_window_i8(sums, patch, rows, pad, w, inside, x * stride - left, width, channels, skip, lanes);
        if (late && x >= late) {
            tinyc_pie_store_i8(out + (x - late) * channels, result, lanes);
        }
        if (form == 4) {
            tinyc_pie_narrow_lanes_i8(result, sums, factors, constants, lanes);
        } else {
            for (int k = 0; k < lanes; ++k) {
                result[k] = tinyc_narrow_i8(sums[k] + bias[k], multiplier[k], tinyc_shift_i8(shift, k, form), zero, low,
                                            high, form);
            }
        }
        if (!late) {
            tinyc_pie_store_i8(out + x * channels, result, lanes);
        }
    }
    for (int x = out_width > late ? out_width - late : 0; x < out_width; ++x) {
        tinyc_pie_store_i8(out + x * channels, results + (late > 1 ? x % 2 * 16 : 0), lanes);
    }
}

/* One output row of a 3x3 depthwise convolution, one output channel for each input channel; `left` columns of the zero
 * point in `pad` lie before each row. Windows of `before` pixels at the row's begin and of `after` at its end reach
 * beside it.
 *
 * `out` may be one of the rows: an output is written when `late` (0 to 2) more windows have been read.
 * Weights come in blocks of 16 channels, [9][16], with zeros for those that are not there. `form` is that of
 * tinyc_qpie_sums_i8; in form 4, factors are as tinyc_pie_narrow_lanes_i8 takes them, for whole blocks, in others there
 * are bias, multiplier and shift.
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
