#ifndef TINYC_QPIE_PIXEL_I8_H
#define TINYC_QPIE_PIXEL_I8_H

#include "common.h"
#include "pie_dots_i8.h"

/* Adds the products of one pixel and `lanes` output channels to the sums that are in `from`, which may be `sums`:
 * `chunks` of `vectors` of 16 elements, the last one of `last` vectors and, of these, `elements` elements. Weights are
 * [chunks][lanes][vectors][16].
 */
TINYC_INLINE void tinyc_qpie_pixel_i8(int32_t *sums, const int32_t *from, const int8_t *x, const int8_t *w, int vectors,
                                      int chunks, int last, int elements, int lanes)
{
    for (int k = 1; k < chunks; ++k) {
        tinyc_pie_dots_i8(sums, from, x, w, vectors, 16 * vectors, lanes);
        from = sums;
        x += 16 * vectors;
        w += 16 * vectors * lanes;
    }
    tinyc_pie_dots_i8(sums, from, x, w, last, elements, lanes);
}

#endif
