#ifndef TINYC_ACCUMULATE_F32_H
#define TINYC_ACCUMULATE_F32_H

#include "common.h"
#include "fusing_f32.h"
#include "multiply_add_f32.h"
#include "xtensa_float.h"

/* Whether sums of products may be computed by instructions of Xtensa, which fuse. */
#define TINYC_XTENSA_FUSED (TINYC_XTENSA_FLOAT && TINYC_FUSING)

/* tinyc_multiply_add_f32 for a sum of many products, which stays in its register. A loop of these is none of Xtensa's
 * loops without overhead: it takes several.
 */
TINYC_INLINE float tinyc_accumulate_f32(float x, float w, float sum)
{
#if TINYC_XTENSA_FUSED
    __asm__("madd.s %0, %1, %2" : "+f"(sum) : "f"(x), "f"(w));
    return sum;
#else
    return tinyc_multiply_add_f32(x, w, sum);
#endif
}

#endif
