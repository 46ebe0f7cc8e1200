#ifndef TINYC_TILE_F32_H
#define TINYC_TILE_F32_H

#include "clamp_f32.h"
#include "common.h"

/* A register tile: `lanes` (1 to 4) output channels of one pixel, or with `pair` of two neighbours.
 *
 * Sums x * w over kh rows, in each over kw runs of n contiguous elements `step` apart, the first at element `at`.
 * The second pixel's elements lie `next` further. With `border`, a run that does not lie within 0..limit-1 of its
 * row is read from `pad` instead. `skip` is added within a pixel, in rows and pad alike (the channels of a group).
 * Weight (lane, element) is at lane * lane_step + element * element_step. The second pixel's results lie `out_next`
 * further in out. All integers but at and skip are literals in every use, so what a tile does not need is gone.
 */
TINYC_INLINE void tinyc_tile_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                 float *restrict out, int lanes, int pair, int border, int at, int skip, int next,
                                 int limit, int kh, int kw, int step, int n, int lane_step, int element_step,
                                 int has_bias, int out_next, float low, float high)
{
    float a0 = has_bias ? bias[0] : 0.0f;
    float a1 = has_bias && lanes > 1 ? bias[1] : 0.0f;
    float a2 = has_bias && lanes > 2 ? bias[2] : 0.0f;
    float a3 = has_bias && lanes > 3 ? bias[3] : 0.0f;
    float b0 = a0;
    float b1 = a1;
    float b2 = a2;
    float b3 = a3;
    for (int ky = 0; ky < kh; ++ky) {
        for (int kx = 0; kx < kw; ++kx) {
            const int from = at + kx * step;
            const float *p = (border && (from < 0 || from >= limit) ? pad : rows[ky] + from) + skip;
            for (int i = 0; i < n; ++i) {
                const float u = p[i];
                const float v = pair ? p[i + next] : 0.0f;
                a0 += u * w[0];
                b0 += v * w[0];
                if (lanes > 1) {
                    a1 += u * w[lane_step];
                    b1 += v * w[lane_step];
                }
                if (lanes > 2) {
                    a2 += u * w[2 * lane_step];
                    b2 += v * w[2 * lane_step];
                }
                if (lanes > 3) {
                    a3 += u * w[3 * lane_step];
                    b3 += v * w[3 * lane_step];
                }
                w += element_step;
            }
        }
    }
    out[0] = tinyc_clamp_f32(a0, low, high);
    if (lanes > 1) {
        out[1] = tinyc_clamp_f32(a1, low, high);
    }
    if (lanes > 2) {
        out[2] = tinyc_clamp_f32(a2, low, high);
    }
    if (lanes > 3) {
        out[3] = tinyc_clamp_f32(a3, low, high);
    }
    if (pair) {
        out[out_next] = tinyc_clamp_f32(b0, low, high);
        if (lanes > 1) {
            out[out_next + 1] = tinyc_clamp_f32(b1, low, high);
        }
        if (lanes > 2) {
            out[out_next + 2] = tinyc_clamp_f32(b2, low, high);
        }
        if (lanes > 3) {
            out[out_next + 3] = tinyc_clamp_f32(b3, low, high);
        }
    }
}

#endif
