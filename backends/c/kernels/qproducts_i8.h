#ifndef TINYC_QPRODUCTS_I8_H
#define TINYC_QPRODUCTS_I8_H

#include "common.h"

/* The sums of up to four output channels of one pixel. */
typedef struct {
    int32_t s0, s1, s2, s3;
} tinyc_sums_i8;

/* Adds the products of one input element and the weights of `lanes` output channels. */
TINYC_INLINE void tinyc_qadd_products_i8(tinyc_sums_i8 *sums, int32_t x, const int8_t *w, int lanes)
{
    sums->s0 += x * w[0];
    if (lanes > 1) {
        sums->s1 += x * w[1];
    }
    if (lanes > 2) {
        sums->s2 += x * w[2];
    }
    if (lanes > 3) {
        sums->s3 += x * w[3];
    }
}

#endif
