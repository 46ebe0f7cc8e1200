#ifndef TINYC_QADD_ELEMENT_I16_H
#define TINYC_QADD_ELEMENT_I16_H

#include "common.h"
#include "qproducts_i8.h"

/* Adds the products of one input element of each of `pixels` pixels `next` apart and the weights of `lanes` output
 * channels.
 */
TINYC_INLINE void tinyc_qadd_element_i16(tinyc_sums_i8 *a, tinyc_sums_i8 *b, tinyc_sums_i8 *c, tinyc_sums_i8 *d,
                                         const int16_t *p, const int8_t *w, int lanes, int halves, int pixels, int next)
{
    tinyc_qadd_products_i8(a, p[0], w, lanes, halves);
    if (pixels > 1) {
        tinyc_qadd_products_i8(b, p[next], w, lanes, halves);
    }
    if (pixels > 2) {
        tinyc_qadd_products_i8(c, p[2 * next], w, lanes, halves);
    }
    if (pixels > 3) {
        tinyc_qadd_products_i8(d, p[3 * next], w, lanes, halves);
    }
}

#endif
