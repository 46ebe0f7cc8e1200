#ifndef TINYC_ELEMENT_WIDE_H
#define TINYC_ELEMENT_WIDE_H

#include "common.h"

/* Element `at` of numbers of `bytes` bytes each, 1 or 2. */
TINYC_INLINE int32_t tinyc_element_wide(const void *x, int at, int bytes)
{
    return bytes == 2 ? ((const int16_t *)x)[at] : ((const int8_t *)x)[at];
}

#endif
