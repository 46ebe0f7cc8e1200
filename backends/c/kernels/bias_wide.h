#ifndef TINYC_BIAS_WIDE_H
#define TINYC_BIAS_WIDE_H

#include "common.h"

/* The bias of an output channel: of 64 bits in form 5 of tinyc_narrow_wide, else of 32. */
TINYC_INLINE int64_t tinyc_bias_wide(const void *bias, int channel, int form)
{
    return form == 5 ? ((const int64_t *)bias)[channel] : ((const int32_t *)bias)[channel];
}

/* Its shift; in form 2 there are none. */
TINYC_INLINE int tinyc_shift_wide(const int8_t *shift, int channel, int form) { return form == 2 ? 0 : shift[channel]; }

#endif
