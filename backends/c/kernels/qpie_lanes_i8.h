#ifndef TINYC_QPIE_LANES_I8_H
#define TINYC_QPIE_LANES_I8_H

#include "common.h"
#include "narrow_i8.h"
#include "pie_narrow_lanes_i8.h"
#include "shift_i8.h"

/* The results of `lanes` sums without their bias, by vectors with `factors` and `constants` in form 4, as
 * tinyc_pie_narrow_lanes_i8 takes them, or one by one with bias, multiplier and shift, in the forms of tinyc_narrow_i8.
 */
TINYC_INLINE void tinyc_qpie_lanes_i8(int8_t *out, const int32_t *sums, const int32_t *bias, const int16_t *factors,
                                      const int16_t *constants, const int32_t *multiplier, const int8_t *shift,
                                      int lanes, int zero, int low, int high, int form)
{
    if (form == 4) {
        tinyc_pie_narrow_lanes_i8(out, sums, factors, constants, lanes);
        return;
    }
    for (int k = 0; k < lanes; ++k) {
        out[k] = tinyc_narrow_i8(sums[k] + bias[k], multiplier[k], tinyc_shift_i8(shift, k, form), zero, low, high,
                                 form);
    }
}

#endif
