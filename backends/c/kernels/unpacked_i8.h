#ifndef TINYC_UNPACKED_I8_H
#define TINYC_UNPACKED_I8_H

#include "channel_i8.h"
#include "common.h"

/* Writes the biases of `lanes` (1 to 4) channels in form 4 as int32_t, and four words further their multipliers. */
TINYC_NOINLINE void tinyc_unpack_i8(int32_t *to, const void *bias, const void *multiplier, int lanes, int shifts)
{
    for (int k = 0; k < lanes; ++k) {
        to[k] = tinyc_bias_i8(bias, k, shifts, 4);
        to[k + 4] = tinyc_multiplier_i8(multiplier, k, shifts, 4);
    }
}

/* Biases and multipliers of `lanes` channels as int32_t, in memory, from which each tile loads them anew: those that
 * there are, or in form 4 eight words at `to`.
 */
TINYC_INLINE void tinyc_unpacked_i8(const int32_t **biases, const int32_t **multipliers, int32_t *to, const void *bias,
                                    const void *multiplier, int lanes, int shifts, int form)
{
    if (form == 4) {
        tinyc_unpack_i8(to, bias, multiplier, lanes, shifts);
    }
    *biases = form == 4 ? to : (const int32_t *)bias;
    *multipliers = form == 4 ? to + 4 : (const int32_t *)multiplier;
}

#endif
