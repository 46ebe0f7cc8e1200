#ifndef TINYC_QGATE_PRODUCT_I32_H
#define TINYC_QGATE_PRODUCT_I32_H

#include "common.h"
#include "q15_rounded_i32.h"

/* What a gate of at most 1 leaves of another number of at most 1, if they are `small`, or of any. */
TINYC_INLINE int32_t tinyc_qgate_product_i32(int32_t gate, int32_t x, int small)
{
    return small ? (gate * x + 16384) >> 15 : tinyc_q15_rounded_i32((int64_t)gate * x);
}

#endif
