#ifndef TINYC_WINDOW_COLUMNS_H
#define TINYC_WINDOW_COLUMNS_H

#include "common.h"

/* The first column of a window that lies in the row, where the window begins at `first`: columns before the row are
 * skipped in steps of the dilation.
 */
TINYC_INLINE int tinyc_window_from(int first, int dilation)
{
    return first < 0 ? first + (dilation - 1 - first) / dilation * dilation : first;
}

/* Behind the last column of a window of `extent` columns that lies in the row. */
TINYC_INLINE int tinyc_window_end(int first, int extent, int width)
{
    return first + extent < width ? first + extent : width;
}

#endif
