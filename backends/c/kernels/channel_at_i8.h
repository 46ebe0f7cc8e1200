#ifndef TINYC_CHANNEL_AT_I8_H
#define TINYC_CHANNEL_AT_I8_H

#include "common.h"

/* Constants of channels are kept as channel_i8.h says. */

/* The biases from a channel on. */
TINYC_INLINE const void *tinyc_bias_at_i8(const void *bias, int channel, int form)
{
    return form == 4 ? (const void *)((const int16_t *)bias + channel)
                     : (const void *)((const int32_t *)bias + channel);
}

/* The multipliers from a channel on. */
TINYC_INLINE const void *tinyc_multiplier_at_i8(const void *multiplier, int channel, int form)
{
    return form == 4 ? (const void *)((const uint8_t *)multiplier + channel)
                     : (const void *)((const int32_t *)multiplier + channel);
}

#endif
