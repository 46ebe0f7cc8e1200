#ifndef TINYC_COLUMN_F32_H
#define TINYC_COLUMN_F32_H

#include "accumulate_f32.h"
#include "clamp_pixels_f32.h"
#include "common.h"
#include "limit_f32.h"
#include "multiply_add_f32.h"
#include "step_f32.h"

/* Three elements or weights of a channel, one below the other. */
typedef struct {
    float top, middle, bottom;
} tinyc_column_f32;

/* sum and the products of a column of elements and one of weights, from the top down. */
TINYC_INLINE float tinyc_add_column_f32(float sum, tinyc_column_f32 x, tinyc_column_f32 w)
{
    sum = tinyc_accumulate_f32(x.top, w.top, sum);
    sum = tinyc_accumulate_f32(x.middle, w.middle, sum);
    return tinyc_accumulate_f32(x.bottom, w.bottom, sum);
}

/* The columns of a window of 3x3 weights of a channel, which lie row by row, `next` elements apart. */
TINYC_INLINE void tinyc_window_f32(tinyc_column_f32 *v, const float *w, int next)
{
    v[0].top = tinyc_step_f32(&w, next);
    v[1].top = tinyc_step_f32(&w, next);
    v[2].top = tinyc_step_f32(&w, next);
    v[0].middle = tinyc_step_f32(&w, next);
    v[1].middle = tinyc_step_f32(&w, next);
    v[2].middle = tinyc_step_f32(&w, next);
    v[0].bottom = tinyc_step_f32(&w, next);
    v[1].bottom = tinyc_step_f32(&w, next);
    v[2].bottom = *w;
}

/* Writes one channel of four pixels `next` apart. */
TINYC_INLINE void tinyc_store_four_f32(float *out, int next, float a, float b, float c, float d, float low, float high)
{
    const int lost = tinyc_tainted_f32(tinyc_multiply_add_f32(a, b, c * d), low, high);
    const float least = lost ? NAN : low;
    const float most = lost ? NAN : high;
    out[0] = tinyc_limit_f32(a, least, most, low, high);
    out[next] = tinyc_limit_f32(b, least, most, low, high);
    out[2 * next] = tinyc_limit_f32(c, least, most, low, high);
    out[3 * next] = tinyc_limit_f32(d, least, most, low, high);
    if (lost) {
        tinyc_clamp_pixels_f32(out, 4, next, 1, low, high);
    }
}

#endif
