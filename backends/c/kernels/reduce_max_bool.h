#ifndef TINYC_REDUCE_MAX_BOOL_H
#define TINYC_REDUCE_MAX_BOOL_H

#include "common.h"

/* Whether any is true so far, v among them. */
TINYC_INLINE uint8_t tinyc_reduce_max_bool(uint8_t found, uint8_t v)
{
    return found || v;
}

#endif
