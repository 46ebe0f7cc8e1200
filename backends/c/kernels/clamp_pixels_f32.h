#ifndef TINYC_CLAMP_PIXELS_F32_H
#define TINYC_CLAMP_PIXELS_F32_H

#include "clamp_f32.h"
#include "common.h"

/* Limits `lanes` neighbours of each of `pixels` pixels `next` apart, in place. */
TINYC_NOINLINE void tinyc_clamp_pixels_f32(float *out, int pixels, int next, int lanes, float low, float high)
{
    for (int p = 0; p < pixels; ++p) {
        for (int k = 0; k < lanes; ++k) {
            out[p * next + k] = tinyc_clamp_f32(out[p * next + k], low, high);
        }
    }
}

#endif
