#ifndef TINYC_QPIE_ADD_I8_H
#define TINYC_QPIE_ADD_I8_H

#include "common.h"
#include "pie.h"
#include "pie_add_i8.h"
#include "pie_store_i8.h"

/* n sums by whole factors: see tinyc_pie_add_i8. `out` may be x or y. */
TINYC_INLINE void tinyc_qpie_add_i8(const int8_t *x, const int8_t *y, const int16_t *constants, int8_t *out, int n,
                                    int places)
{
    TINYC_ALIGNED16 int8_t results[16];
    const int8_t *const last = x + n / 16 * 16;
    while (x != last) {
        tinyc_pie_add_i8(results, x, y, constants, places, 16);
        tinyc_pie_store_i8(out, results, 16);
        x += 16;
        y += 16;
        out += 16;
    }
    if (n % 16) {
        tinyc_pie_add_i8(results, x, y, constants, places, n % 16);
        tinyc_pie_store_i8(out, results, n % 16);
    }
}

#endif
