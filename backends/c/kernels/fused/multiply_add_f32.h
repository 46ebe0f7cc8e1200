#ifndef TINYC_FUSED_MULTIPLY_ADD_F32_H
#define TINYC_FUSED_MULTIPLY_ADD_F32_H

#include <math.h>

#include "common.h"

/* sum + x * w, rounded once: the processor has an instruction for it, which compilers take under any options. */
TINYC_INLINE float tinyc_multiply_add_f32(float x, float w, float sum)
{
#if defined(__GNUC__)
    return __builtin_fmaf(x, w, sum);
#else
    return fmaf(x, w, sum);
#endif
}

#endif
