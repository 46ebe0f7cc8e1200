#ifndef TINYC_TOP_K_F32_H
#define TINYC_TOP_K_F32_H

#include "above_f32.h"
#include "common.h"

/* Of each of `outer` * `inner` vectors of n elements, which lie `inner` apart, the places of the `count` largest, or
 * with `least` of the smallest, in this order; the first of equal ones comes first. Each element is put among those
 * before it.
 */
TINYC_INLINE void tinyc_top_k_f32(const float *x, int32_t *restrict out, int outer, int n, int inner, int count,
                                  int least)
{
    for (int o = 0; o < outer; ++o) {
        for (int i = 0; i < inner; ++i) {
            const float *p = x + i;
            int32_t *places = out + i;
            for (int k = 0; k < n; ++k) {
                const float v = p[k * inner];
                int at = k < count ? k : count;
                while (at > 0) {
                    const int32_t before = places[(at - 1) * inner];
                    const float w = p[before * inner];
                    if (!(least ? tinyc_above_f32(w, v) : tinyc_above_f32(v, w))) {
                        break;
                    }
                    if (at < count) {
                        places[at * inner] = before;
                    }
                    --at;
                }
                if (at < count) {
                    places[at * inner] = k;
                }
            }
        }
        x += n * inner;
        out += count * inner;
    }
}

#endif
