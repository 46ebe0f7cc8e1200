#ifndef TINYC_QPIE_PIXELS_I8_H
#define TINYC_QPIE_PIXELS_I8_H

#include <stddef.h>

#include "common.h"
#include "pie.h"
#include "pie_store_i8.h"
#include "qpie_pixel_i8.h"
#include "qpie_sums_i8.h"

/* `lanes` output channels of all pixels: see tinyc_qpie_pixels_i8. */
TINYC_INLINE void tinyc_qpie_pixels_lanes_i8(const int8_t *x, const int8_t *w, const int32_t *bias,
                                             const int16_t *factors, const int16_t *constants,
                                             const int32_t *multiplier, const int8_t *shift, int8_t *restrict out,
                                             int pixels, int next, int vectors, int chunks, int last, int elements,
                                             int outputs, int lanes, int zero, int low, int high, int form)
{
    TINYC_ALIGNED16 int32_t sums[32];
    TINYC_ALIGNED16 int8_t results[16];
    do {
        tinyc_qpie_pixel_i8(sums, bias, x, w, vectors, chunks, last, elements, lanes);
        tinyc_qpie_sums_i8(results, sums, factors, constants, multiplier, shift, lanes, zero, low, high, form);
        tinyc_pie_store_i8(out, results, lanes);
        x += next;
        out += outputs;
    } while (--pixels);
}

/* A 1x1 convolution, or a dense layer on as many rows as there are pixels, which lie `next` apart.
 *
 * Weights come in `blocks` of 16 output channels and a last one of the `rest` left over, each as tinyc_qpie_pixel_i8
 * takes them, then a vector of zeros. bias has pairs of a bias that is greater by TINYC_PIE_RAISED and 0. `form` is
 * that of tinyc_qpie_sums_i8; in form 4, there are factors for whole blocks, in others multiplier and shift.
 */
TINYC_INLINE void tinyc_qpie_pixels_i8(const int8_t *x, const int8_t *w, const int32_t *bias, const int16_t *factors,
                                       const int16_t *constants, const int32_t *multiplier, const int8_t *shift,
                                       int8_t *restrict out, int pixels, int next, int vectors, int chunks, int last,
                                       int elements, int outputs, int blocks, int rest, int zero, int low, int high,
                                       int form)
{
    const int size = 16 * (vectors * (chunks - 1) + last);
    for (int k = 0; k < blocks; ++k) {
        tinyc_qpie_pixels_lanes_i8(x, w, bias, factors, constants, multiplier, shift, out, pixels, next, vectors,
                                   chunks, last, elements, outputs, 16, zero, low, high, form);
        w += 16 * size;
        bias += 32;
        factors = form == 4 ? factors + 32 : factors;
        multiplier = form == 4 ? multiplier : multiplier + 16;
        shift = form >= 2 ? shift : shift + 16;
        out += 16;
    }
    if (rest) {
        tinyc_qpie_pixels_lanes_i8(x, w, bias, factors, constants, multiplier, shift, out, pixels, next, vectors,
                                   chunks, last, elements, outputs, rest, zero, low, high, form);
    }
}

#endif
