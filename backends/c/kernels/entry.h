#ifndef TINYC_ENTRY_H
#define TINYC_ENTRY_H

#include "common.h"

/* An index read from data, limited to the entries there are. */
TINYC_INLINE int tinyc_entry(int64_t index, int count)
{
    if (index < 0) {
        return 0;
    }
    return index >= count ? count - 1 : (int)index;
}

#endif
