#ifndef TINYC_REDUCE_MIN_BOOL_H
#define TINYC_REDUCE_MIN_BOOL_H

#include "common.h"

/* Whether all are true so far, v among them. */
TINYC_INLINE uint8_t tinyc_reduce_min_bool(uint8_t found, uint8_t v)
{
    return found && v;
}

#endif
