#ifndef TINYC_LIMIT_F32_H
#define TINYC_LIMIT_F32_H

#include <math.h>

#include "clamp_f32.h"
#include "common.h"

/* Limits v to low..high as tinyc_clamp_f32 does, by instructions where there are some. RISC-V's give the number if one
 * of two operands is NaN. So NaN is lost, unless `least` and `most`, which stand for low and high, are NaN themselves:
 * then nothing is limited.
 */
#if defined(__GNUC__) && defined(__riscv_flen)
#define TINYC_NUMBERS_ONLY 1
#else
#define TINYC_NUMBERS_ONLY 0
#endif
TINYC_INLINE float tinyc_limit_f32(float v, float least, float most, float low, float high)
{
#if TINYC_NUMBERS_ONLY
    if (low > -INFINITY) {
        __asm__("fmax.s %0, %1, %2" : "=f"(v) : "f"(v), "f"(least));
    }
    if (high < INFINITY) {
        __asm__("fmin.s %0, %1, %2" : "=f"(v) : "f"(v), "f"(most));
    }
    return v;
#else
    (void)low;
    (void)high;
    return tinyc_clamp_f32(v, least, most);
#endif
}

/* Whether tinyc_limit_f32 would lose NaN among some numbers. `taint`, made of products and sums of all of them, is NaN
 * if one of them is; where they overflow it may be, too.
 */
TINYC_INLINE int tinyc_tainted_f32(float taint, float low, float high)
{
    return TINYC_NUMBERS_ONLY && (low > -INFINITY || high < INFINITY) && taint != taint;
}

#endif
