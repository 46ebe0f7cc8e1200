#ifndef TINYC_ADD_PRODUCTS_F32_H
#define TINYC_ADD_PRODUCTS_F32_H

#include "accumulate_f32.h"
#include "common.h"
#include "sums_f32.h"

/* Adds the products of one input element and the weights of `lanes` output channels. */
TINYC_INLINE void tinyc_add_products_f32(tinyc_sums_f32 *sums, float x, const float *w, int lanes, int lane_step)
{
    sums->s0 = tinyc_accumulate_f32(x, w[0], sums->s0);
    if (lanes > 1) {
        sums->s1 = tinyc_accumulate_f32(x, w[lane_step], sums->s1);
    }
    if (lanes > 2) {
        sums->s2 = tinyc_accumulate_f32(x, w[2 * lane_step], sums->s2);
    }
    if (lanes > 3) {
        sums->s3 = tinyc_accumulate_f32(x, w[3 * lane_step], sums->s3);
    }
}

#endif
