#ifndef TINYC_PUT_WIDE_H
#define TINYC_PUT_WIDE_H

#include "common.h"

/* Writes element `at` of results of `to` bytes each, 1 or 2. */
TINYC_INLINE void tinyc_put_wide(void *out, int at, int32_t value, int to)
{
    if (to == 2) {
        ((int16_t *)out)[at] = (int16_t)value;
    } else {
        ((int8_t *)out)[at] = (int8_t)value;
    }
}

#endif
