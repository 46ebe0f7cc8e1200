#ifndef TINYC_WLONG_I16_H
#define TINYC_WLONG_I16_H

#include "bias_wide.h"
#include "common.h"
#include "narrow_wide.h"
#include "put_wide.h"
#include "run_i16.h"

/* `lanes` output channels of one pixel, whose sums are of 64 bits: see tinyc_wtile_i16. */
TINYC_INLINE void tinyc_wlong_i16(const int16_t **rows, const int16_t *pad, const int8_t *w, const void *bias,
                                  const int32_t *multiplier, const int8_t *shift, void *out, int channel, int out_at,
                                  int lanes, int border, int at, int skip, int limit, int kh, int kw, int step, int n,
                                  int zero, int low, int high, int to)
{
    for (int lane = 0; lane < lanes; ++lane) {
        const int8_t *v = w + lane;
        int64_t sum = tinyc_bias_wide(bias, channel + lane, 5);
        for (int ky = 0; ky < kh; ++ky) {
            for (int kx = 0; kx < kw; ++kx) {
                const int16_t *p = tinyc_run_i16(rows[ky], pad, border, at + kx * step, limit, skip);
                for (int i = 0; i < n; ++i) {
                    sum += p[i] * *v;
                    v += lanes;
                }
            }
        }
        tinyc_put_wide(out, out_at + lane,
                       tinyc_narrow_wide(sum, multiplier[channel + lane], shift[channel + lane], zero, low, high, 5),
                       to);
    }
}

#endif
