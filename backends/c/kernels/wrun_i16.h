#ifndef TINYC_WRUN_I16_H
#define TINYC_WRUN_I16_H

#include "common.h"

/* The first element of a run of a window: see tinyc_run_i8. */
TINYC_INLINE const int16_t *tinyc_wrun_i16(const int16_t *row, const int16_t *pad, int border, int from, int limit,
                                           int skip)
{
    return (border && (from < 0 || from >= limit) ? pad : row + from) + skip;
}

#endif
