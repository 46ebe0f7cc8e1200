#ifndef TINYC_RUN_I8_H
#define TINYC_RUN_I8_H

#include "common.h"

/* The first element of a run of a window: `from` elements behind the begin of a row. With `border`, a run that does not
 * lie within 0..limit-1 of it is read from `pad` instead. `skip` is added within a pixel, in row and pad alike.
 */
TINYC_INLINE const int8_t *tinyc_run_i8(const int8_t *row, const int8_t *pad, int border, int from, int limit, int skip)
{
    return (border && (from < 0 || from >= limit) ? pad : row + from) + skip;
}

#endif
