#ifndef TINYC_QEXTRAS_I8_H
#define TINYC_QEXTRAS_I8_H

#include <stddef.h>

#include "common.h"
#include "run_i8.h"

/* Adds what the words of tinyc_qpairs_i8 lack of the weights of one output channel, for `pixels` (1 to 4) pixels: for
 * each run of the window a count of elements, and for each, from the end of the run backwards, how far it lies before
 * the last one (the first before the run's end) and the missing part of its weight. Returns where the bytes end.
 */
TINYC_INLINE const uint8_t *tinyc_qextras_i8(int32_t *a, int32_t *b, int32_t *c, int32_t *d, const int8_t **rows,
                                             const int8_t *pad, const uint8_t *extras, int pixels, int border, int at,
                                             int skip, int next, int limit, int kh, int kw, int step, int n)
{
    if (extras == NULL) {
        return NULL;
    }
    for (int ky = 0; ky < kh; ++ky) {
        for (int kx = 0; kx < kw; ++kx) {
            const int8_t *p = tinyc_run_i8(rows[ky], pad, border, at + kx * step, limit, skip) + n;
            for (int back = *extras++; back; back = *extras++) {
                const int32_t w = (int8_t)*extras++;
                p -= back;
                *a += p[0] * w;
                if (pixels > 1) {
                    *b += p[next] * w;
                }
                if (pixels > 2) {
                    *c += p[2 * next] * w;
                }
                if (pixels > 3) {
                    *d += p[3 * next] * w;
                }
            }
        }
    }
    return extras;
}

#endif
