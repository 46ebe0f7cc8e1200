#ifndef TINYC_FINISH_F32_H
#define TINYC_FINISH_F32_H

#include "clamp_f32.h"
#include "common.h"

/* Adds the bias to each of `pixels` pixels and limits them, in place. */
TINYC_INLINE void tinyc_finish_f32(float *out, const float *bias, int pixels, int outputs, int has_bias, float low,
                                   float high)
{
    for (int p = 0; p < pixels; ++p) {
        for (int o = 0; o < outputs; ++o) {
            const float sum = has_bias ? out[p * outputs + o] + bias[o] : out[p * outputs + o];
            out[p * outputs + o] = tinyc_clamp_f32(sum, low, high);
        }
    }
}

#endif
