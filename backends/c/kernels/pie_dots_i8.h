#ifndef TINYC_PIE_DOTS_I8_H
#define TINYC_PIE_DOTS_I8_H

#include "common.h"
#include "pie.h"

#if TINYC_PIE
/* Elements into q0 and so on, from an address that is no multiple of 16; `last` is that of the last byte. */
#define TINYC_PIE_X1 "ee.ld.128.usar.ip q0, %[x], 16\n ee.vld.128.ip q1, %[last], 0\n ee.src.q q0, q0, q1\n"
#define TINYC_PIE_XS "ee.ld.128.usar.ip q0, %[x], 16\n ee.vld.128.ip q1, %[x], 16\n"
#define TINYC_PIE_XN(a, b, c) "ee.src.q.ld.ip q" #c ", %[x], 16, q" #a ", q" #b "\n"
#define TINYC_PIE_XE(a, b, c)                                                                                          \
    "ee.src.q.ld.ip q" #c ", %[last], 0, q" #a ", q" #b "\n ee.src.q q" #b ", q" #b ", q" #c "\n"
/* Sixteen products more, and the weights of the next. */
#define TINYC_PIE_W(a) "ee.vmulas.s8.accx.ld.ip q7, %[w], 16, q" #a ", q7\n"
#define TINYC_PIE_DOTS(elements, products)                                                                             \
    __asm__ volatile(elements "ee.vld.128.ip q7, %[w], 16\n"                                                           \
                              "loop %[count], 1f\n"                                                                    \
                              "ee.ld.accx.ip %[from], 8\n" products "ee.st.accx.ip %[to], 8\n"                         \
                              "1:\n"                                                                                   \
                     : [x] "+r"(x), [last] "+r"(last), [w] "+r"(w), [from] "+r"(from), [to] "+r"(to)                   \
                     : [count] "r"(count)                                                                              \
                     : "memory")
#endif

/* Sums of 1 to 7 vectors of 16 products for each of `count` output channels: to[2 * k] is from[2 * k] and the products
 * of x and the vectors of channel k, which follow each other in w, one vector more than there are being readable. Sums
 * are from 0 to 2^31 - 1, and the numbers beside them, from[2 * k + 1] and to[2 * k + 1], are 0. `to` may be `from`.
 *
 * Of x, `elements` ones are read; weights behind them are 0. w, from and to are multiples of 16, x is any address.
 */
TINYC_INLINE void tinyc_pie_dots_i8(int32_t *to, const int32_t *from, const int8_t *x, const int8_t *w, int vectors,
                                    int elements, int count)
{
#if TINYC_PIE
    const int8_t *last = x + elements - 1;
    switch (vectors) {
    case 1:
        TINYC_PIE_DOTS(TINYC_PIE_X1, TINYC_PIE_W(0));
        break;
    case 2:
        TINYC_PIE_DOTS(TINYC_PIE_XS TINYC_PIE_XE(0, 1, 2), TINYC_PIE_W(0) TINYC_PIE_W(1));
        break;
    case 3:
        TINYC_PIE_DOTS(TINYC_PIE_XS TINYC_PIE_XN(0, 1, 2) TINYC_PIE_XE(1, 2, 3),
                       TINYC_PIE_W(0) TINYC_PIE_W(1) TINYC_PIE_W(2));
        break;
    case 4:
        TINYC_PIE_DOTS(TINYC_PIE_XS TINYC_PIE_XN(0, 1, 2) TINYC_PIE_XN(1, 2, 3) TINYC_PIE_XE(2, 3, 4),
                       TINYC_PIE_W(0) TINYC_PIE_W(1) TINYC_PIE_W(2) TINYC_PIE_W(3));
        break;
    case 5:
        TINYC_PIE_DOTS(TINYC_PIE_XS TINYC_PIE_XN(0, 1, 2) TINYC_PIE_XN(1, 2, 3) TINYC_PIE_XN(2, 3, 4)
                           TINYC_PIE_XE(3, 4, 5),
                       TINYC_PIE_W(0) TINYC_PIE_W(1) TINYC_PIE_W(2) TINYC_PIE_W(3) TINYC_PIE_W(4));
        break;
    case 6:
        TINYC_PIE_DOTS(TINYC_PIE_XS TINYC_PIE_XN(0, 1, 2) TINYC_PIE_XN(1, 2, 3) TINYC_PIE_XN(2, 3, 4)
                           TINYC_PIE_XN(3, 4, 5) TINYC_PIE_XE(4, 5, 6),
                       TINYC_PIE_W(0) TINYC_PIE_W(1) TINYC_PIE_W(2) TINYC_PIE_W(3) TINYC_PIE_W(4) TINYC_PIE_W(5));
        break;
    default:
        TINYC_PIE_DOTS(TINYC_PIE_XS TINYC_PIE_XN(0, 1, 2) TINYC_PIE_XN(1, 2, 3) TINYC_PIE_XN(2, 3, 4)
                           TINYC_PIE_XN(3, 4, 5) TINYC_PIE_XN(4, 5, 6) TINYC_PIE_XE(5, 6, 7),
                       TINYC_PIE_W(0) TINYC_PIE_W(1) TINYC_PIE_W(2) TINYC_PIE_W(3) TINYC_PIE_W(4) TINYC_PIE_W(5)
                           TINYC_PIE_W(6));
    }
#else
    for (int k = 0; k < count; ++k) {
        int32_t sum = from[2 * k];
        for (int i = 0; i < elements; ++i) {
            sum += x[i] * w[i];
        }
        w += 16 * vectors;
        to[2 * k] = sum;
        to[2 * k + 1] = 0;
    }
#endif
}

#endif
