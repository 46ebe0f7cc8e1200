#ifndef TINYC_QSUMS_I8_H
#define TINYC_QSUMS_I8_H

#include "common.h"
#include "qadd_element_i8.h"
#include "qstore_i8.h"
#include "unscheduled.h"

/* Writes the results of a tile: `lanes` output channels of `pixels` pixels whose results lie `next` apart. */
TINYC_INLINE void tinyc_qstore_tile_i8(int8_t *restrict out, tinyc_sums_i8 a, tinyc_sums_i8 b, tinyc_sums_i8 c,
                                       tinyc_sums_i8 d, const int32_t *multiplier, const int8_t *shift, int lanes,
                                       int pixels, int next, int zero, int low, int high, int form)
{
    /* From here on, what results need lies in registers that the sums have left. */
    TINYC_KEEP(out);
    if (form >= 2) {
        TINYC_KEEP_AFTER(low, a.s0);
        TINYC_KEEP_AFTER(high, a.s0);
    }
    TINYC_KEEP(multiplier);
    tinyc_qstore_i8(out, pixels, next, a.s0, b.s0, c.s0, d.s0, multiplier, shift, 0, zero, low, high, form);
    if (lanes > 1) {
        TINYC_KEEP(multiplier);
        tinyc_qstore_i8(out, pixels, next, a.s1, b.s1, c.s1, d.s1, multiplier, shift, 1, zero, low, high, form);
    }
    if (lanes > 2) {
        TINYC_KEEP(multiplier);
        tinyc_qstore_i8(out, pixels, next, a.s2, b.s2, c.s2, d.s2, multiplier, shift, 2, zero, low, high, form);
    }
    if (lanes > 3) {
        TINYC_KEEP(multiplier);
        tinyc_qstore_i8(out, pixels, next, a.s3, b.s3, c.s3, d.s3, multiplier, shift, 3, zero, low, high, form);
    }
}

#endif
