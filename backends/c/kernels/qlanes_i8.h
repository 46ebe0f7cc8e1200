#ifndef TINYC_QLANES_I8_H
#define TINYC_QLANES_I8_H

#include <stddef.h>

#include "common.h"
#include "qpairs_i8.h"
#include "qtile_i8.h"

/* A register tile of `lanes` output channels: tinyc_qpairs_i8 on `words` and `extras` in groups of `paired` elements,
 * or tinyc_qtile_i8 if it is 0, on weights of which with `halves` two lie in a byte, `turn` elements in a turn of its
 * loop. Returns where the extras end.
 */
TINYC_INLINE const uint8_t *tinyc_qlanes_i8(const int8_t **rows, const int8_t *pad, const int8_t *w,
                                            const int32_t *words, uint64_t bits, const uint8_t *extras,
                                            const int32_t *bias, const int32_t *multiplier, const int8_t *shift,
                                            int8_t *restrict out, int paired, int lanes, int halves, int pixels,
                                            int border, int at, int skip, int next, int limit, int kh, int kw, int step,
                                            int n, int turn, int out_next, int zero, int low, int high, int form)
{
    if (paired) {
        return tinyc_qpairs_i8(rows, pad, words, bits, extras, bias, multiplier, shift, out, paired, pixels, border, at,
                               skip, next, limit, kh, kw, step, n, out_next, zero, low, high, form);
    }
    tinyc_qtile_i8(rows, pad, w, bias, multiplier, shift, out, lanes, halves, pixels, border, at, skip, next, limit, kh,
                   kw, step, n, turn, out_next, zero, low, high, form);
    return NULL;
}

#endif
