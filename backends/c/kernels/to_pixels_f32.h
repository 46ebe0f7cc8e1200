#ifndef TINYC_TO_PIXELS_F32_H
#define TINYC_TO_PIXELS_F32_H

#include "block_from.h"
#include "common.h"
#include "exchange_f32.h"

/* Makes `planes` planes, each of `blocks` blocks of `places` elements, to pixels where they are. `local` has room for a
 * block of each plane.
 */
TINYC_INLINE void tinyc_to_pixels_f32(float *x, float *local, int planes, int blocks, int places)
{
    const int together = places % 2 ? 1 : 2;
    const float *const end = x + planes * blocks * places;
    unsigned by = (unsigned)planes, rows = (unsigned)blocks, i = 0;
    float *to = x;
    /* Divisions by what a compiler knows take more code. */
    TINYC_KEEP(by);
    TINYC_KEEP(rows);
    while (to != end) {
        for (int c = 0; c < planes; ++c) {
            float *const from = x + tinyc_block_from(i, by, rows) * (unsigned)places;
            tinyc_exchange_f32(local + c * places, from, to + c * places, places);
            ++i;
        }
        for (int k = 0; k < places; k += together) {
            for (int c = 0; c < planes; ++c) {
                to[c] = local[c * places + k];
            }
            to += planes;
            if (together == 2) {
                for (int c = 0; c < planes; ++c) {
                    to[c] = local[c * places + k + 1];
                }
                to += planes;
            }
        }
    }
}

#endif
