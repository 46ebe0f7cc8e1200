#ifndef TINYC_QMAC16_NARROW_I8_H
#define TINYC_QMAC16_NARROW_I8_H

#include "common.h"
#include "narrow_i8.h"

/* The places of the high half of a product behind those that it has in `form` 2 or 3 of tinyc_narrow_i8. */
TINYC_INLINE int tinyc_qmac16_places_i8(int form)
{
    return form == 2 ? 8 : 6;
}

/* What the high half of a product needs: a half to be rounded, and the zero point, as in tinyc_narrow_i8. */
TINYC_INLINE int32_t tinyc_qmac16_addend_i8(int32_t zero, int form)
{
    int32_t addend = (2 * zero + 1) * (1 << tinyc_qmac16_places_i8(form));
    /* It stays in a register. */
    TINYC_KEEP(addend);
    return addend;
}

/* What tinyc_narrow_i8 makes of a sum that is 256 times too large, and less than 2^31 in size. The high half of a
 * product is then 256 times that of `form` 2, and 64 times that of form 3, with a rest that rounding down takes away.
 */
TINYC_INLINE int8_t tinyc_qmac16_narrow_i8(int32_t sum, int32_t multiplier, int shift, int32_t addend, int32_t zero,
                                           int32_t low, int32_t high, int form)
{
    if (form >= 2) {
        const int32_t m = (int32_t)(((int64_t)sum * multiplier) >> 32);
        const int32_t v = (m + addend) >> (tinyc_qmac16_places_i8(form) + 1);
        const int32_t least = v < low ? low : v;
        return (int8_t)(least > high ? high : least);
    }
    return tinyc_narrow_i8(sum >> 8, multiplier, shift, zero, low, high, form);
}

#endif
