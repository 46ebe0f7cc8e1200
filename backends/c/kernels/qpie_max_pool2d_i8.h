#ifndef TINYC_QPIE_MAX_POOL2D_I8_H
#define TINYC_QPIE_MAX_POOL2D_I8_H

#include "common.h"
#include "pie.h"
#include "pie_most_i8.h"
#include "pie_store_i8.h"
#include "window_columns.h"

/* One output row of a max pooling, as tinyc_max_pool2d_i8 makes it. */
TINYC_INLINE void tinyc_qpie_max_pool2d_i8(const int8_t **rows, int count, int8_t *restrict out, int width,
                                           int channels, int out_width, int kw, int stride, int dilation, int left)
{
    const int extent = (kw - 1) * dilation + 1;
    for (int x = 0; x < out_width; ++x) {
        const int first = x * stride - left;
        const int from = tinyc_window_from(first, dilation);
        const int end = tinyc_window_end(first, extent, width);
        for (int skip = 0; skip < channels; skip += 16) {
            const int lanes = channels - skip < 16 ? channels - skip : 16;
            TINYC_ALIGNED16 int8_t best[16] = {-128, -128, -128, -128, -128, -128, -128, -128,
                                               -128, -128, -128, -128, -128, -128, -128, -128};
            for (int k = 0; k < count; ++k) {
                tinyc_pie_most_i8(best, rows[k] + from * channels + skip, dilation * channels,
                                  (end - from + dilation - 1) / dilation, lanes);
            }
            tinyc_pie_store_i8(out + x * channels + skip, best, lanes);
        }
    }
}

#endif
