#ifndef TINYC_QPATCHES_I8_H
#define TINYC_QPATCHES_I8_H

#include "common.h"
#include "qpatch_i8.h"

/* Copies the windows of `pixels` pixels of the result, the first of them x, as tinyc_qpatch_i8 does, one after another.
 * `left` columns of `pad` lie before each row.
 */
TINYC_INLINE void tinyc_qpatches_i8(int8_t *patches, const int8_t **rows, const int8_t *pad, int x, int pixels,
                                    int stride, int left, int width, int channels, int kh, int kw, int dilation)
{
    for (int k = 0; k < pixels; ++k) {
        tinyc_qpatch_i8(patches, rows, pad, (x + k) * stride - left, width, channels, kh, kw, dilation);
        patches += kh * kw * channels;
    }
}

#endif
