#ifndef TINYC_QPIE_FLAT3X3_I8_H
#define TINYC_QPIE_FLAT3X3_I8_H

#include "common.h"
#include "pie.h"
#include "pie_narrow_lanes_i8.h"
#include "pie_store_i8.h"
#include "pie_taps_i8.h"
#include "qpie_nine_i8.h"

/* As tinyc_qpie_depthwise3x3_i8, of stride 1 in form 4, for channels of which 16 are a multiple: lanes are the channels
 * of as many pixels as there is room for, and weights and factors are repeated. At most one column of the zero point
 * lies before each row. `out` may be one of the rows: results are written when one more window has been read.
 */
TINYC_INLINE void tinyc_qpie_flat3x3_i8(const int8_t **rows, const int8_t *pad, const int8_t *w, const int16_t *factors,
                                        const int16_t *constants, int8_t *out, int before, int after, int width,
                                        int channels, int out_width, int left)
{
    const int8_t *const top = rows[0], *const middle = rows[1], *const bottom = rows[2];
    const int each = 16 / channels;
    TINYC_ALIGNED16 int32_t sums[32];
    TINYC_ALIGNED16 int8_t results[16] = {0}, patch[144];
    int held = 0;
    for (int x = 0; x < out_width;) {
        const int at = (x - left) * channels, whole = x >= before && x + each <= out_width - after;
        if (whole) {
            tinyc_pie_taps_i8(sums, top + at, middle + at, bottom + at, w, channels, 16);
        } else {
            tinyc_qpie_nine_i8(patch, rows, pad, x - left, width, channels, 0, channels);
            tinyc_pie_taps_i8(sums, patch, patch + 48, patch + 96, w, 16, channels);
        }
        if (held == 16) {
            tinyc_pie_store_i8(out, results, 16);
        } else if (held) {
            tinyc_pie_store_i8(out, results, channels);
        }
        out += held;
        if (whole) {
            tinyc_pie_narrow_lanes_i8(results, sums, factors, constants, 16);
        } else {
            tinyc_pie_narrow_lanes_i8(results, sums, factors, constants, channels);
        }
        held = whole ? 16 : channels;
        x += whole ? each : 1;
    }
    if (held == 16) {
        tinyc_pie_store_i8(out, results, 16);
    } else {
        tinyc_pie_store_i8(out, results, channels);
    }
}

#endif
