#ifndef TINYC_CHANNEL_I8_H
#define TINYC_CHANNEL_I8_H

#include "common.h"

/* Constants of the output channels of a layer. In form 4 of tinyc_narrow_i8, biases are int16_t and multipliers
 * uint8_t, all to be shifted to the left: by `shifts`, which is the distance of biases and 32 times that of
 * multipliers. In others both are int32_t.
 */

/* The bias of a channel. */
TINYC_INLINE int32_t tinyc_bias_i8(const void *bias, int channel, int shifts, int form)
{
    return form == 4 ? ((const int16_t *)bias)[channel] * (1 << (shifts & 31)) : ((const int32_t *)bias)[channel];
}

/* The multiplier of a channel. */
TINYC_INLINE int32_t tinyc_multiplier_i8(const void *multiplier, int channel, int shifts, int form)
{
    return form == 4 ? ((const uint8_t *)multiplier)[channel] * (1 << (shifts >> 5))
                     : ((const int32_t *)multiplier)[channel];
}

#endif
