#ifndef TINYC_QSOFTMAX_EXP_I32_H
#define TINYC_QSOFTMAX_EXP_I32_H

#include "common.h"
#include "exp_of_negative_i32.h"
#include "high_apart_i32.h"

/* exp(difference * multiplier * 2^left), 31 bits after the point. The difference times 2^left fits int32. */
TINYC_NOINLINE int32_t tinyc_qsoftmax_exp_i32(int difference, int32_t multiplier, int left, int apart)
{
    const int32_t x = (int32_t)((uint32_t)difference << left);
    return tinyc_exp_of_negative_i32(tinyc_high_either_i32(x, multiplier, apart), apart);
}

#endif
