#ifndef TINYC_ARG_MOST_F32_H
#define TINYC_ARG_MOST_F32_H

#include "above_f32.h"
#include "common.h"

/* Of each of `outer` * `inner` vectors of n elements, which lie `inner` apart, the place of the largest element, or
 * with `least` of the smallest: the first of equal ones, or with `last` the last.
 */
TINYC_INLINE void tinyc_arg_most_f32(const float *x, int32_t *restrict out, int outer, int n, int inner, int least,
                                     int last)
{
    for (int o = 0; o < outer; ++o) {
        for (int i = 0; i < inner; ++i) {
            const float *p = x + i;
            float best = *p;
            int found = 0;
            for (int k = 1; k < n; ++k) {
                p += inner;
                const int above = least ? tinyc_above_f32(best, *p) : tinyc_above_f32(*p, best);
                const int below = least ? tinyc_above_f32(*p, best) : tinyc_above_f32(best, *p);
                if (last ? !below : above) {
                    best = *p;
                    found = k;
                }
            }
            *out++ = found;
        }
        x += n * inner;
    }
}

#endif
