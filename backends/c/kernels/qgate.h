#ifndef TINYC_QGATE_H
#define TINYC_QGATE_H

#include "common.h"
#include "element_wide.h"
#include "limit_i32.h"
#include "narrow_wide.h"
#include "q15_gate_i32.h"
#include "qproducts_i8.h"

/* Sums of the products of up to four gates. */
typedef struct {
    int64_t s0, s1, s2, s3;
} tinyc_qgate_sums;

/* Adds the products of n elements of `bytes` bytes each and the weights of `lanes` gates, which are interleaved: one by
 * one until four at a time are left.
 */
TINYC_INLINE void tinyc_qgate_run(tinyc_sums_i8 *sums, const void *x, const int8_t *w, int n, int lanes, int bytes)
{
    const int8_t *v = (const int8_t *)x;
    const int8_t *const end = v + n * bytes;
    for (int k = 0; k < n % 4; ++k) {
        tinyc_qadd_products_i8(sums, tinyc_element_wide(v, 0, bytes), w, lanes, 0);
        v += bytes;
        w += lanes;
    }
    while (v != end) {
        tinyc_qadd_products_i8(sums, tinyc_element_wide(v, 0, bytes), w, lanes, 0);
        tinyc_qadd_products_i8(sums, tinyc_element_wide(v, 1, bytes), w + lanes, lanes, 0);
        tinyc_qadd_products_i8(sums, tinyc_element_wide(v, 2, bytes), w + 2 * lanes, lanes, 0);
        tinyc_qadd_products_i8(sums, tinyc_element_wide(v, 3, bytes), w + 3 * lanes, lanes, 0);
        v += 4 * bytes;
        w += 4 * lanes;
    }
}

/* The sums of the products of n elements and the weights of `lanes` gates: int32 holds those of `most`. */
TINYC_INLINE tinyc_qgate_sums tinyc_qgate_products(const void *x, const int8_t *w, int n, int lanes, int bytes,
                                                   int most)
{
    const int8_t *const v = (const int8_t *)x;
    tinyc_sums_i8 sums = {0, 0, 0, 0};
    if (n <= most) {
        tinyc_qgate_run(&sums, v, w, n, lanes, bytes);
        return (tinyc_qgate_sums){sums.s0, sums.s1, sums.s2, sums.s3};
    }
    tinyc_qgate_sums total = {0, 0, 0, 0};
    for (int k = 0; k < n; k += most) {
        sums = (tinyc_sums_i8){0, 0, 0, 0};
        tinyc_qgate_run(&sums, v + k * bytes, w + k * lanes, n - k < most ? n - k : most, lanes, bytes);
        total.s0 += sums.s0;
        total.s1 += sums.s1;
        total.s2 += sums.s2;
        total.s3 += sums.s3;
    }
    return total;
}

/* A gate's sum, of 15 binary places: `bounded` if constants keep it within 2^30. */
TINYC_INLINE int32_t tinyc_qgate_total(int64_t sums, int32_t bias, int places, int bounded)
{
    const int64_t whole = (sums + ((int64_t)1 << (places - 1))) >> places;
    return bounded ? (int32_t)whole + bias : tinyc_q15_limited_i32(whole + bias);
}

/* Activation of a sum, which is clipped first, unless by 2^30: that is what it is limited to. `step` are the binary
 * places of a step of the table, see tinyc_q15_tanh_i32.
 */
TINYC_INLINE int32_t tinyc_qgate(int32_t z, const int16_t *table, int step, int32_t clip, int function, int32_t a,
                                 int32_t b)
{
    return tinyc_q15_gate_i32(clip < 1 << 30 ? tinyc_limit_i32(z, -clip, clip) : z, table, step, function, a, b);
}

/* A hidden state as an integer of `bytes` bytes. */
TINYC_INLINE int32_t tinyc_qgate_narrow(int32_t h, int32_t multiplier, int shift, int32_t zero, int bytes)
{
    const int32_t most = bytes == 2 ? INT16_MAX : INT8_MAX;
    return tinyc_narrow_wide(h, multiplier, shift, zero, -most - 1, most, shift > 0 ? 5 : 0);
}

#endif
