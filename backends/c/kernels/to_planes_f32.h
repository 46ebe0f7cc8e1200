#ifndef TINYC_TO_PLANES_F32_H
#define TINYC_TO_PLANES_F32_H

#include "block_from.h"
#include "common.h"
#include "exchange_f32.h"

/* Makes pixels to planes where they are: what tinyc_to_pixels_f32 does, backwards. */
TINYC_INLINE void tinyc_to_planes_f32(float *x, float *local, int planes, int blocks, int places)
{
    unsigned by = (unsigned)planes, rows = (unsigned)blocks, i = (unsigned)(planes * blocks);
    float *to = x + planes * blocks * places;
    TINYC_KEEP(by);
    TINYC_KEEP(rows);
    while (to != x) {
        for (int k = places - 1; k >= 0; --k) {
            to -= planes;
            for (int c = 0; c < planes; ++c) {
                local[c * places + k] = to[c];
            }
        }
        for (int c = planes - 1; c >= 0; --c) {
            --i;
            float *const from = x + tinyc_block_from(i, by, rows) * (unsigned)places;
            tinyc_exchange_f32(to + c * places, from, local + c * places, places);
        }
    }
}

#endif
