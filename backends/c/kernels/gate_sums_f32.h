#ifndef TINYC_GATE_SUMS_F32_H
#define TINYC_GATE_SUMS_F32_H

#include "add_products_f32.h"
#include "common.h"
#include "sums_f32.h"

/* Adds the products of n elements and the weights of `lanes` gates of a unit: those of the next gate are `lane_step`
 * further, and those of the next element `element_step`.
 */
TINYC_INLINE void tinyc_gate_sums_f32(tinyc_sums_f32 *sums, const float *x, const float *w, int n, int lanes,
                                      int lane_step, int element_step)
{
    const float *const end = x + n;
    if (n % 2) {
        tinyc_add_products_f32(sums, x[0], w, lanes, lane_step);
        ++x;
        w += element_step;
    }
    while (x != end) {
        tinyc_add_products_f32(sums, x[0], w, lanes, lane_step);
        tinyc_add_products_f32(sums, x[1], w + element_step, lanes, lane_step);
        x += 2;
        w += 2 * element_step;
    }
}

#endif
