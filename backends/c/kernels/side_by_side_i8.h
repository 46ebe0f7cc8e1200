#ifndef TINYC_SIDE_BY_SIDE_I8_H
#define TINYC_SIDE_BY_SIDE_I8_H

#include "common.h"
#include <string.h>

/* Copies `size` elements of each of `count` rows to `out`, one after another, with `before` and `after` elements of
 * `fill` beside them.
 */
TINYC_NOINLINE void tinyc_side_by_side_i8(int8_t *out, const int8_t **rows, int count, int before, int size, int after,
                                          int fill)
{
    for (int k = 0; k < count; ++k) {
        memset(out, fill, (size_t)before);
        memcpy(out + before, rows[k], (size_t)size);
        out += before + size;
        memset(out, fill, (size_t)after);
        out += after;
    }
}

#endif
