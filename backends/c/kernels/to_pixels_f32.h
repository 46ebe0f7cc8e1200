#ifndef TINYC_TO_PIXELS_F32_H
#define TINYC_TO_PIXELS_F32_H

#include "common.h"
#include "exchange_f32.h"

/* Makes `planes` planes, each of `blocks` blocks of `places` elements, to pixels where they are. `local` has room for a
 * block of each plane.
 *
 * Blocks come to their places one after the other: what is in place i then goes to where block i came from. So the
 * block for i was there first, or went to where the one came from that is in its place now, and so on.
 */
TINYC_INLINE void tinyc_to_pixels_f32(float *x, float *local, int planes, int blocks, int places)
{
    const float *const end = x + planes * blocks * places;
    unsigned by = (unsigned)planes, rows = (unsigned)blocks, i = 0;
    float *to = x;
    /* Divisions by what a compiler knows take more code. */
    TINYC_KEEP(by);
    TINYC_KEEP(rows);
    while (to != end) {
        for (int c = 0; c < planes; ++c) {
            unsigned from = i;
            do {
                from = from % by * rows + from / by;
            } while (from < i);
            tinyc_exchange_f32(local + c * places, x + from * (unsigned)places, to + c * places, places);
            ++i;
        }
        for (int k = 0; k < places; ++k) {
            for (int c = 0; c < planes; ++c) {
                *to++ = local[c * places + k];
            }
        }
    }
}

#endif
