#ifndef TINYC_SLIDE_F32_H
#define TINYC_SLIDE_F32_H

#include "column_f32.h"
#include "common.h"

/* The sums that the next column belongs to: `first` is the output that it completes, `second` the one after that; a
 * third begins with it.
 */
typedef struct {
    float first, second;
} tinyc_open_f32;

/* Adds a column to the sums of the three outputs it belongs to, and returns the one it completes. */
TINYC_INLINE float tinyc_slide_f32(tinyc_open_f32 *open, float top, float middle, float bottom,
                                   const tinyc_column_f32 *w, float start)
{
    const tinyc_column_f32 x = {top, middle, bottom};
    const float done = tinyc_add_column_f32(open->first, x, w[2]);
    open->first = tinyc_add_column_f32(open->second, x, w[1]);
    open->second = tinyc_add_column_f32(start, x, w[0]);
    return done;
}

#endif
