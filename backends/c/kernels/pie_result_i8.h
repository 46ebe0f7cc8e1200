#ifndef TINYC_PIE_RESULT_I8_H
#define TINYC_PIE_RESULT_I8_H

#include "common.h"
#include "limit_i32.h"

/* The result of one sum, as tinyc_pie_narrow_i8 gives it: `factor` is its low factor, which the high one is 8 behind.
 */
TINYC_INLINE int8_t tinyc_pie_result_i8(int32_t sum, const int16_t *factor, const int16_t *c)
{
    const int64_t product = (int64_t)sum * (factor[8] * 32768 + factor[0] / 2);
    const int64_t moved = (((product >> 30) + 1) >> 1) + (c[16] - 2) / 4;
    return (int8_t)tinyc_limit_i32((int32_t)(moved < -32768 ? -32768 : moved > 32767 ? 32767 : moved), c[24], c[32]);
}

#endif
