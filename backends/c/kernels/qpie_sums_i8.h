#ifndef TINYC_QPIE_SUMS_I8_H
#define TINYC_QPIE_SUMS_I8_H

#include "common.h"
#include "narrow_i8.h"
#include "pie.h"
#include "pie_narrow_i8.h"
#include "shift_i8.h"

/* The results of `lanes` sums that tinyc_pie_dots_i8 leaves, by vectors with `factors` and `constants`, in form 4, or
 * one by one with multiplier and shift, in those of tinyc_narrow_i8.
 */
TINYC_INLINE void tinyc_qpie_sums_i8(int8_t *out, const int32_t *sums, const int16_t *factors, const int16_t *constants,
                                     const int32_t *multiplier, const int8_t *shift, int lanes, int zero, int low,
                                     int high, int form)
{
    if (form == 4) {
        tinyc_pie_narrow_i8(out, sums, factors, constants, lanes);
        return;
    }
    for (int k = 0; k < lanes; ++k) {
        const int32_t sum = (int32_t)((uint32_t)sums[2 * k] - TINYC_PIE_RAISED);
        out[k] = tinyc_narrow_i8(sum, multiplier[k], tinyc_shift_i8(shift, k, form), zero, low, high, form);
    }
}

#endif
