#ifndef TINYC_SLIDE_COLUMNS_F32_H
#define TINYC_SLIDE_COLUMNS_F32_H

#include <math.h>

#include "accumulate_f32.h"
#include "clamp_f32.h"
#include "column_f32.h"
#include "common.h"
#include "slide_f32.h"
#include "xtensa_limit_f32.h"

#if TINYC_XTENSA_FUSED
/* One output, in all 16 registers: `first` is completed, limited and written, `third` begins. */
#define TINYC_SLIDE_ROW_F32(from, first, second, third, w0, w1, w2)                                                    \
    "lsxp %[x], %[" from "], %[step]\n\t"                                                                              \
    "madd.s %[" first "], %[x], %[" w2 "]\n\t"                                                                         \
    "madd.s %[" second "], %[x], %[" w1 "]\n\t"                                                                        \
    "madd.s %[" third "], %[x], %[" w0 "]\n\t"
#define TINYC_SLIDE_COLUMN_F32(first, second, third, limit)                                                            \
    "mov.s %[" third "], %[start]\n\t"                                                                                 \
    TINYC_SLIDE_ROW_F32("top", first, second, third, "w0", "w1", "w2")                                                 \
    TINYC_SLIDE_ROW_F32("middle", first, second, third, "w3", "w4", "w5")                                              \
    TINYC_SLIDE_ROW_F32("bottom", first, second, third, "w6", "w7", "w8")                                              \
    limit(first) "ssxp %[" first "], %[out], %[step]\n\t"
/* Three outputs a turn, so that each sum stays in its register, and the `rest`. */
#define TINYC_SLIDE_COLUMNS_F32(limit)                                                                                 \
    __asm__ volatile(                                                                                                  \
        "loopnez %[turns], 1f\n\t"                                                                                     \
        TINYC_SLIDE_COLUMN_F32("a", "b", "c", limit)                                                                   \
        TINYC_SLIDE_COLUMN_F32("b", "c", "a", limit)                                                                   \
        TINYC_SLIDE_COLUMN_F32("c", "a", "b", limit)                                                                   \
        "1:\n\tloopnez %[rest], 2f\n\t"                                                                                \
        TINYC_SLIDE_COLUMN_F32("a", "b", "c", limit)                                                                   \
        "mov.s %[a], %[b]\n\t"                                                                                         \
        "mov.s %[b], %[c]\n\t"                                                                                         \
        "2:"                                                                                                           \
        : [a] "+f"(a), [b] "+f"(b), [c] "=&f"(c), [x] "=&f"(v), [top] "+r"(*top), [middle] "+r"(*middle),              \
          [bottom] "+r"(*bottom), [out] "+r"(*out)                                                                     \
        : [start] "f"(start), [w0] "f"(w[0].top), [w1] "f"(w[1].top), [w2] "f"(w[2].top), [w3] "f"(w[0].middle),       \
          [w4] "f"(w[1].middle), [w5] "f"(w[2].middle), [w6] "f"(w[0].bottom), [w7] "f"(w[1].bottom),                  \
          [w8] "f"(w[2].bottom), [turns] "r"(count / 3), [rest] "r"(count % 3), [step] "r"(next * 4),                  \
          [low] "f"(low), [high] "f"(high)                                                                             \
        : "memory", "b0")
#endif

/* Slides over the columns of a channel that complete the outputs from x to before `end`, and writes these, `next`
 * elements apart. Returns the next output; `open` and the pointers are then that one's.
 */
TINYC_INLINE int tinyc_slide_columns_f32(tinyc_open_f32 *open, const float **top, const float **middle,
                                         const float **bottom, float **out, int x, int end, int next,
                                         const tinyc_column_f32 *w, float start, float low, float high)
{
#if TINYC_XTENSA_FUSED
    const int count = end > x ? end - x : 0;
    float a = open->first, b = open->second, c, v;
    if (high < INFINITY) {
        TINYC_SLIDE_COLUMNS_F32(TINYC_XTENSA_LIMIT);
    } else if (low > -INFINITY) {
        TINYC_SLIDE_COLUMNS_F32(TINYC_XTENSA_LIMIT_LOW);
    } else {
        TINYC_SLIDE_COLUMNS_F32(TINYC_XTENSA_NO_LIMIT);
    }
    open->first = a;
    open->second = b;
    x += count;
#else
    for (; x < end; ++x) {
        **out = tinyc_clamp_f32(tinyc_slide_f32(open, **top, **middle, **bottom, w, start), low, high);
        *top += next;
        *middle += next;
        *bottom += next;
        *out += next;
    }
#endif
    return x;
}

#endif
