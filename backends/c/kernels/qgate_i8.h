#ifndef TINYC_QGATE_I8_H
#define TINYC_QGATE_I8_H

#include "common.h"
#include "limit_i32.h"
#include "q15_gate_i32.h"
#include "qproducts_i8.h"
#include "requantise_i32.h"

/* Adds the products of n elements and the weights of `lanes` gates, which are interleaved: one by one until four at a
 * time are left.
 */
TINYC_INLINE void tinyc_qgate_products_i8(tinyc_sums_i8 *sums, const int8_t *x, const int8_t *w, int n, int lanes)
{
    const int8_t *const end = x + n;
    for (int k = 0; k < n % 4; ++k) {
        tinyc_qadd_products_i8(sums, x[0], w, lanes, 0);
        ++x;
        w += lanes;
    }
    while (x != end) {
        tinyc_qadd_products_i8(sums, x[0], w, lanes, 0);
        tinyc_qadd_products_i8(sums, x[1], w + lanes, lanes, 0);
        tinyc_qadd_products_i8(sums, x[2], w + 2 * lanes, lanes, 0);
        tinyc_qadd_products_i8(sums, x[3], w + 3 * lanes, lanes, 0);
        x += 4;
        w += 4 * lanes;
    }
}

/* A gate's sum, of 15 binary places: `bounded` if constants keep it within 2^30. */
TINYC_INLINE int32_t tinyc_qgate_total_i8(int64_t sums, int32_t bias, int places, int bounded)
{
    const int64_t whole = (sums + ((int64_t)1 << (places - 1))) >> places;
    return bounded ? (int32_t)whole + bias : tinyc_q15_limited_i32(whole + bias);
}

/* Activation of a sum, which is clipped first, unless by 2^30: that is what it is limited to. */
TINYC_INLINE int32_t tinyc_qgate_i8(int32_t z, const int16_t *table, int32_t clip, int function, int32_t a, int32_t b)
{
    return tinyc_q15_gate_i32(clip < 1 << 30 ? tinyc_limit_i32(z, -clip, clip) : z, table, function, a, b);
}

/* A hidden state as int8. */
TINYC_INLINE int8_t tinyc_qgate_narrow_i8(int32_t h, int32_t multiplier, int shift, int32_t zero)
{
    return (int8_t)tinyc_limit_i32(tinyc_requantise_i32(h, multiplier, shift) + zero, -128, 127);
}

#endif
