#ifndef TINYC_SHIFT_I8_H
#define TINYC_SHIFT_I8_H

#include "common.h"

/* The shift of an output channel; in forms 2 and 3 of tinyc_narrow_i8 there are none. */
TINYC_INLINE int tinyc_shift_i8(const int8_t *shift, int channel, int form)
{
    return form >= 2 ? 0 : shift[channel];
}

#endif
