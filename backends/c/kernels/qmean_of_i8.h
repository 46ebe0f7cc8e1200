#ifndef TINYC_QMEAN_OF_I8_H
#define TINYC_QMEAN_OF_I8_H

#include "common.h"
#include "limit_i32.h"

/* The mean of `count` int8 values that are `sum` together, rounded half away from zero and limited. It is an int8 value
 * by itself. Where `count` is 2^places, more than one, it is a shift: one is taken off negative sums, so that ties
 * that are rounded up otherwise are rounded down.
 */
TINYC_INLINE int8_t tinyc_qmean_of_i8(int32_t sum, int32_t count, int places, int low, int high)
{
    int32_t mean;
    if (places > 0 && count == 1 << places) {
        mean = (sum + count / 2 + (sum >> 31)) >> places;
    } else {
        mean = (sum + (sum < 0 ? -(count / 2) : count / 2)) / count;
    }
    return (int8_t)(low <= INT8_MIN && high >= INT8_MAX ? mean : tinyc_limit_i32(mean, low, high));
}

#endif
