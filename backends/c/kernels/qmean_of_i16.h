#ifndef TINYC_QMEAN_OF_I16_H
#define TINYC_QMEAN_OF_I16_H

#include "common.h"
#include "limit_i32.h"

/* As tinyc_qmean_of_i8, of int16 values. */
TINYC_INLINE int16_t tinyc_qmean_of_i16(int32_t sum, int32_t count, int places, int low, int high)
{
    int32_t mean;
    if (places > 0 && count == 1 << places) {
        mean = (sum + count / 2 + (sum >> 31)) >> places;
    } else {
        mean = (sum + (sum < 0 ? -(count / 2) : count / 2)) / count;
    }
    return (int16_t)(low <= -32768 && high >= 32767 ? mean : tinyc_limit_i32(mean, low, high));
}

#endif
