#ifndef TINYC_QMAC16_MOVED_I8_H
#define TINYC_QMAC16_MOVED_I8_H

#include "common.h"

/* An element, 128 added. */
TINYC_INLINE int16_t tinyc_qmac16_moved_i8(int8_t x)
{
    int32_t bits = (uint8_t)x;
    /* Or compilers extend the result once more. */
    TINYC_KEEP(bits);
    return (int16_t)(bits ^ 0x80);
}

#endif
