#ifndef TINYC_GATHER_SUMS_I8_H
#define TINYC_GATHER_SUMS_I8_H

#include "common.h"
#include "strided_sum_i8.h"

/* Adds a row of pixels to a sum for each channel; to zeros, where it is the first. */
TINYC_INLINE void tinyc_gather_sums_i8(const int8_t *x, int first, int32_t *sums, int pixels, int channels)
{
    for (int c = 0; first && c < channels; ++c) {
        sums[c] = 0;
    }
    for (int c = 0; c < channels; ++c) {
        sums[c] += tinyc_strided_sum_i8(x + c, pixels, channels);
    }
}

#endif
