#ifndef TINYC_QNINE_I8_H
#define TINYC_QNINE_I8_H

#include "common.h"

/* The weights of a 3x3 window for one channel, row by row. */
typedef struct {
    int32_t w0, w1, w2, w3, w4, w5, w6, w7, w8;
} tinyc_nine_i8;

/* The weights of the first channel at w, which has all channels of one weight side by side. */
TINYC_INLINE tinyc_nine_i8 tinyc_qnine_i8(const int8_t *w, int channels)
{
    const tinyc_nine_i8 nine = {w[0],
                                w[channels],
                                w[2 * channels],
                                w[3 * channels],
                                w[4 * channels],
                                w[5 * channels],
                                w[6 * channels],
                                w[7 * channels],
                                w[8 * channels]};
    return nine;
}

#endif
