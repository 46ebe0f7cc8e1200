#ifndef TINYC_QMATMUL_I8_H
#define TINYC_QMATMUL_I8_H

#include "common.h"
#include "narrow_i8.h"

/* The product of the matrices x, `rows` of `inner` int8 values, and y, `inner` of `columns`, both less their zero
 * points, requantised; four columns at a time. y_zero is taken off the sums as often as x has steps, once a row. `form`
 * as in tinyc_narrow_i8.
 */
TINYC_INLINE void tinyc_qmatmul_i8(const int8_t *x, const int8_t *y, int8_t *restrict out, int rows, int inner,
                                   int columns, int x_zero, int y_zero, int32_t multiplier, int shift, int zero,
                                   int low, int high, int form)
{
    for (int r = 0; r < rows; ++r) {
        const int8_t *const last = x + inner;
        int32_t start = 0;
        if (y_zero != 0) {
            for (const int8_t *p = x; p != last; ++p) {
                start += x_zero - *p;
            }
            start *= y_zero;
        }
        const int8_t *column = y;
        for (int c = 0; c < columns / 4; ++c) {
            const int8_t *w = column;
            int32_t sum0 = start;
            int32_t sum1 = start;
            int32_t sum2 = start;
            int32_t sum3 = start;
            for (const int8_t *p = x; p != last; ++p) {
                const int32_t v = *p - x_zero;
                sum0 += v * w[0];
                sum1 += v * w[1];
                sum2 += v * w[2];
                sum3 += v * w[3];
                w += columns;
            }
            out[0] = tinyc_narrow_i8(sum0, multiplier, shift, zero, low, high, form);
            out[1] = tinyc_narrow_i8(sum1, multiplier, shift, zero, low, high, form);
            out[2] = tinyc_narrow_i8(sum2, multiplier, shift, zero, low, high, form);
            out[3] = tinyc_narrow_i8(sum3, multiplier, shift, zero, low, high, form);
            column += 4;
            out += 4;
        }
        for (int c = 0; c < columns % 4; ++c) {
            const int8_t *w = column;
            int32_t sum = start;
            for (const int8_t *p = x; p != last; ++p) {
                sum += (*p - x_zero) * *w;
                w += columns;
            }
            *out = tinyc_narrow_i8(sum, multiplier, shift, zero, low, high, form);
            ++column;
            ++out;
        }
        x = last;
    }
}

#endif
