#ifndef TINYC_QEXTRAS_I8_H
#define TINYC_QEXTRAS_I8_H

#include <stddef.h>

#include "common.h"
#include "run_i8.h"

/* Takes the bits of a block of four output channels from the front of its extras: one for each of so many runs (at most
 * 16) of each channel, which says whether there are any. None without extras.
 */
TINYC_INLINE uint64_t tinyc_qextras_bits_i8(const uint8_t **extras, int runs)
{
    uint64_t bits = 0;
    if (*extras) {
        for (int k = 0; k < (runs + 1) / 2; ++k) {
            bits |= (uint64_t)(*extras)[k] << 8 * k;
        }
        *extras += (runs + 1) / 2;
    }
    return bits;
}

/* Adds what the words of tinyc_qpairs_i8 lack of the weights of one output channel, `lane`, for `pixels` (1 to 4)
 * pixels: for each run of the window that has a bit, elements from its end backwards. Each has two bytes, how far it
 * lies before the last one (the first before the run's last), less 128 if another follows, and the missing part of its
 * weight. Returns where the bytes end; NULL for none at all.
 */
TINYC_INLINE const uint8_t *tinyc_qextras_i8(int32_t *a, int32_t *b, int32_t *c, int32_t *d, const int8_t **rows,
                                             const int8_t *pad, uint64_t bits, const uint8_t *extras, int lane,
                                             int pixels, int border, int at, int skip, int next, int limit, int kh,
                                             int kw, int step, int n)
{
    if (extras == NULL) {
        return NULL;
    }
    for (int ky = 0; ky < kh; ++ky) {
        for (int kx = 0; kx < kw; ++kx) {
            const int bit = (lane * kh + ky) * kw + kx;
            if (bits >> bit & 1) {
                const int8_t *p = tinyc_run_i8(rows[ky], pad, border, at + kx * step, limit, skip) + n - 1;
                int back;
                do {
                    const int32_t w = (int8_t)extras[1];
                    back = (int8_t)extras[0];
                    TINYC_KEEP(back);
                    extras += 2;
                    p -= back & 127;
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
                } while (back < 0);
            }
        }
    }
    return extras;
}

#endif
