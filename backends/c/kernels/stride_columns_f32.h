#ifndef TINYC_STRIDE_COLUMNS_F32_H
#define TINYC_STRIDE_COLUMNS_F32_H

#include <math.h>

#include "accumulate_f32.h"
#include "clamp_f32.h"
#include "column_f32.h"
#include "common.h"
#include "stride_f32.h"
#include "xtensa_limit_f32.h"

#if TINYC_XTENSA_FUSED
/* One output: `sum` is completed, limited and written, `begun` begins. */
#define TINYC_STRIDE_ROW_F32(from, sum, w)                                                                             \
    "lsxp %[x], %[" from "], %[step]\n\t"                                                                              \
    "madd.s %[" sum "], %[x], %[" w "]\n\t"
#define TINYC_STRIDE_COLUMN_F32(sum, begun, limit)                                                                     \
    "mov.s %[" begun "], %[start]\n\t"                                                                                 \
    TINYC_STRIDE_ROW_F32("top", sum, "w1")                                                                             \
    TINYC_STRIDE_ROW_F32("middle", sum, "w4")                                                                          \
    TINYC_STRIDE_ROW_F32("bottom", sum, "w7")                                                                          \
    TINYC_STRIDE_ROW_F32("top", sum, "w2") "madd.s %[" begun "], %[x], %[w0]\n\t"                                      \
    TINYC_STRIDE_ROW_F32("middle", sum, "w5") "madd.s %[" begun "], %[x], %[w3]\n\t"                                   \
    TINYC_STRIDE_ROW_F32("bottom", sum, "w8") "madd.s %[" begun "], %[x], %[w6]\n\t"                                   \
    limit(sum) "ssxp %[" sum "], %[out], %[step]\n\t"
/* Two outputs a turn, so that each sum stays in its register, and the `rest`. */
#define TINYC_STRIDE_COLUMNS_F32(limit)                                                                                \
    __asm__ volatile(                                                                                                  \
        "loopnez %[turns], 1f\n\t"                                                                                     \
        TINYC_STRIDE_COLUMN_F32("a", "b", limit)                                                                       \
        TINYC_STRIDE_COLUMN_F32("b", "a", limit)                                                                       \
        "1:\n\tbeqz %[rest], 2f\n\t"                                                                                   \
        TINYC_STRIDE_COLUMN_F32("a", "b", limit)                                                                       \
        "mov.s %[a], %[b]\n\t"                                                                                         \
        "2:"                                                                                                           \
        : [a] "+f"(a), [b] "=&f"(b), [x] "=&f"(v), [top] "+r"(*top), [middle] "+r"(*middle),                           \
          [bottom] "+r"(*bottom), [out] "+r"(*out)                                                                     \
        : [start] "f"(start), [w0] "f"(w[0].top), [w1] "f"(w[1].top), [w2] "f"(w[2].top), [w3] "f"(w[0].middle),       \
          [w4] "f"(w[1].middle), [w5] "f"(w[2].middle), [w6] "f"(w[0].bottom), [w7] "f"(w[1].bottom),                  \
          [w8] "f"(w[2].bottom), [turns] "r"(count / 2), [rest] "r"(count % 2), [step] "r"(next * 4),                  \
          [low] "f"(low), [high] "f"(high)                                                                             \
        : "memory", "b0")
#endif

/* Passes over the pairs of columns of a channel that complete the outputs from x to before `end`, and writes these,
 * `next` elements apart. Returns the next output; `sum` and the pointers are then that one's.
 */
TINYC_INLINE int tinyc_stride_columns_f32(float *sum, const float **top, const float **middle, const float **bottom,
                                          float **out, int x, int end, int next, const tinyc_column_f32 *w,
                                          float start, float low, float high)
{
#if TINYC_XTENSA_FUSED
    const int count = end > x ? end - x : 0;
    float a = *sum, b, v;
    if (high < INFINITY) {
        TINYC_STRIDE_COLUMNS_F32(TINYC_XTENSA_LIMIT);
    } else if (low > -INFINITY) {
        TINYC_STRIDE_COLUMNS_F32(TINYC_XTENSA_LIMIT_LOW);
    } else {
        TINYC_STRIDE_COLUMNS_F32(TINYC_XTENSA_NO_LIMIT);
    }
    *sum = a;
    x += count;
#else
    for (; x < end; ++x) {
        **out = tinyc_clamp_f32(tinyc_stride_f32(sum, tinyc_column_of_f32(*top, *middle, *bottom, 0),
                                                 tinyc_column_of_f32(*top, *middle, *bottom, next), w, start),
                                low, high);
        *top += 2 * next;
        *middle += 2 * next;
        *bottom += 2 * next;
        *out += next;
    }
#endif
    return x;
}

#endif
