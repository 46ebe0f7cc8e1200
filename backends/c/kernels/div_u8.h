#ifndef TINYC_DIV_U8_H
#define TINYC_DIV_U8_H

#include "common.h"

/* Quotient truncated toward zero; x / 0 is 0. */
TINYC_INLINE uint8_t tinyc_div_u8(uint8_t a, uint8_t b)
{
    if (b == 0) {
        return 0;
    }
    return (uint8_t)(a / b);
}

#endif
