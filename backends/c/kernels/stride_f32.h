#ifndef TINYC_STRIDE_F32_H
#define TINYC_STRIDE_F32_H

#include "column_f32.h"
#include "common.h"

/* Completes the output whose first column `sum` has, and begins the next one. */
TINYC_INLINE float tinyc_stride_f32(float *sum, tinyc_column_f32 x, tinyc_column_f32 last, const tinyc_column_f32 *w,
                                    float start)
{
    const float done = tinyc_add_column_f32(tinyc_add_column_f32(*sum, x, w[1]), last, w[2]);
    *sum = tinyc_add_column_f32(start, last, w[0]);
    return done;
}

/* The elements of a channel in a column of three rows. */
TINYC_INLINE tinyc_column_f32 tinyc_column_of_f32(const float *top, const float *middle, const float *bottom, int at)
{
    const tinyc_column_f32 x = {top[at], middle[at], bottom[at]};
    return x;
}

#endif
