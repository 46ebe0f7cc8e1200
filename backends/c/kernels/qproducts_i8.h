#ifndef TINYC_QPRODUCTS_I8_H
#define TINYC_QPRODUCTS_I8_H

#include "common.h"

/* The sums of up to four output channels of one pixel. */
typedef struct {
    int32_t s0, s1, s2, s3;
} tinyc_sums_i8;

/* The weight of a lane: a byte, or with `halves` the lower half of one for even lanes and the upper one for odd. */
TINYC_INLINE int32_t tinyc_qweight_i8(const int8_t *w, int lane, int halves)
{
    if (!halves) {
        return w[lane];
    }
    return lane % 2 ? w[lane / 2] >> 4 : (int32_t)((uint32_t)w[lane / 2] << 28) >> 28;
}

/* Adds the products of one input element and the weights of `lanes` output channels. */
TINYC_INLINE void tinyc_qadd_products_i8(tinyc_sums_i8 *sums, int32_t x, const int8_t *w, int lanes, int halves)
{
    sums->s0 += x * tinyc_qweight_i8(w, 0, halves);
    if (lanes > 1) {
        sums->s1 += x * tinyc_qweight_i8(w, 1, halves);
    }
    if (lanes > 2) {
        sums->s2 += x * tinyc_qweight_i8(w, 2, halves);
    }
    if (lanes > 3) {
        sums->s3 += x * tinyc_qweight_i8(w, 3, halves);
    }
}

#endif
