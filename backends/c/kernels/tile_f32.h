#ifndef TINYC_TILE_F32_H
#define TINYC_TILE_F32_H

#include "add_products_f32.h"
#include "clamp_pixels_f32.h"
#include "common.h"
#include "limit_f32.h"
#include "multiply_add_f32.h"
#include "sums_f32.h"
#include "unscheduled.h"
#include "walk_f32.h"

/* Adds the products of one input element of each of `pixels` pixels `next` apart and the weights of `lanes` output
 * channels.
 */
TINYC_INLINE void tinyc_add_element_f32(tinyc_sums_f32 *sums, const float *p, const float *w, int lanes, int lane_step,
                                        int pixels, int next)
{
    tinyc_add_products_f32(&sums[0], p[0], w, lanes, lane_step);
    if (pixels > 1) {
        tinyc_add_products_f32(&sums[1], p[next], w, lanes, lane_step);
    }
    if (pixels > 2) {
        tinyc_add_products_f32(&sums[2], p[2 * next], w, lanes, lane_step);
    }
    if (pixels > 3) {
        tinyc_add_products_f32(&sums[3], p[3 * next], w, lanes, lane_step);
    }
    if (pixels > 4) {
        tinyc_add_products_f32(&sums[4], p[4 * next], w, lanes, lane_step);
    }
    if (pixels > 5) {
        tinyc_add_products_f32(&sums[5], p[5 * next], w, lanes, lane_step);
    }
    if (pixels > 6) {
        tinyc_add_products_f32(&sums[6], p[6 * next], w, lanes, lane_step);
    }
    if (pixels > 7) {
        tinyc_add_products_f32(&sums[7], p[7 * next], w, lanes, lane_step);
    }
}

/* The same for up to four elements. */
TINYC_INLINE void tinyc_add_elements_f32(tinyc_sums_f32 *sums, const float *p, const float *w, int count, int lanes,
                                         int lane_step, int element_step, int pixels, int next)
{
    if (count > 0) {
        tinyc_add_element_f32(sums, p, w, lanes, lane_step, pixels, next);
    }
    if (count > 1) {
        tinyc_add_element_f32(sums, p + 1, w + element_step, lanes, lane_step, pixels, next);
    }
    if (count > 2) {
        tinyc_add_element_f32(sums, p + 2, w + 2 * element_step, lanes, lane_step, pixels, next);
    }
    if (count > 3) {
        tinyc_add_element_f32(sums, p + 3, w + 3 * element_step, lanes, lane_step, pixels, next);
    }
}

/* Writes `lanes` output channels of one pixel. */
TINYC_INLINE void tinyc_store_sums_f32(float *out, const tinyc_sums_f32 *sums, int lanes, float least, float most,
                                       float low, float high)
{
    out[0] = tinyc_limit_f32(sums->s0, least, most, low, high);
    if (lanes > 1) {
        out[1] = tinyc_limit_f32(sums->s1, least, most, low, high);
    }
    if (lanes > 2) {
        out[2] = tinyc_limit_f32(sums->s2, least, most, low, high);
    }
    if (lanes > 3) {
        out[3] = tinyc_limit_f32(sums->s3, least, most, low, high);
    }
}

/* See tinyc_tainted_f32. */
TINYC_INLINE float tinyc_taint_pixel_f32(const tinyc_sums_f32 *sums, float taint, int lanes)
{
    taint = lanes > 1 ? tinyc_multiply_add_f32(sums->s0, sums->s1, taint) : taint + sums->s0;
    if (lanes > 2) {
        taint = lanes > 3 ? tinyc_multiply_add_f32(sums->s2, sums->s3, taint) : taint + sums->s2;
    }
    return taint;
}

/* See tinyc_tainted_f32. */
TINYC_INLINE float tinyc_taint_f32(const tinyc_sums_f32 *sums, int pixels, int lanes)
{
    float even = tinyc_taint_pixel_f32(&sums[0], 0.0f, lanes);
    float odd = 0.0f;
    if (pixels > 1) {
        odd = tinyc_taint_pixel_f32(&sums[1], odd, lanes);
    }
    if (pixels > 2) {
        even = tinyc_taint_pixel_f32(&sums[2], even, lanes);
    }
    if (pixels > 3) {
        odd = tinyc_taint_pixel_f32(&sums[3], odd, lanes);
    }
    if (pixels > 4) {
        even = tinyc_taint_pixel_f32(&sums[4], even, lanes);
    }
    if (pixels > 5) {
        odd = tinyc_taint_pixel_f32(&sums[5], odd, lanes);
    }
    if (pixels > 6) {
        even = tinyc_taint_pixel_f32(&sums[6], even, lanes);
    }
    if (pixels > 7) {
        odd = tinyc_taint_pixel_f32(&sums[7], odd, lanes);
    }
    return even + odd;
}

/* A register tile: `lanes` (1 to 4) output channels of `pixels` (1 to 8) pixels.
 *
 * Sums x * w over kh rows, in each over kw runs of n contiguous elements `step` apart, the first at element `at`: the
 * first `head` (0 to 8) of a run one by one, the others by `turn` (1 to 4), in order.
 * The next pixel's elements lie `next` further. With `border`, a run that does not lie within 0..limit-1 of its
 * row is read from `pad` instead. `skip` is added within a pixel, in rows and pad alike (the channels of a group).
 * Weight (lane, element) is at lane * lane_step + element * element_step. Results of the next pixel lie `out_next`
 * further in out. All integers but at, skip, next, n and out_next are literals in every use, so what a tile does not
 * need is gone.
 */
TINYC_INLINE void tinyc_tile_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                 float *restrict out, int lanes, int pixels, int border, int at, int skip, int next,
                                 int limit, int kh, int kw, int step, int n, int head, int turn, int lane_step,
                                 int element_step, int has_bias, int out_next, float low, float high)
{
    const tinyc_sums_f32 start = {has_bias ? bias[0] : 0.0f, has_bias && lanes > 1 ? bias[1] : 0.0f,
                                  has_bias && lanes > 2 ? bias[2] : 0.0f, has_bias && lanes > 3 ? bias[3] : 0.0f};
    tinyc_sums_f32 sums[8] = {start, start, start, start, start, start, start, start};
    for (int ky = 0; ky < kh; ++ky) {
        for (int kx = 0; kx < kw; ++kx) {
            const int from = at + kx * step;
            const float *p = (border && (from < 0 || from >= limit) ? pad : rows[ky] + from) + skip;
            /* Turns of several are for cores with registers for floats. */
            if (turn > 1 && pixels < lanes) {
                w = tinyc_walk_f32(sums, p, w, n, head, turn, lanes, lane_step, element_step, pixels, next);
                continue;
            }
            const float *const end = p + n;
            tinyc_add_elements_f32(sums, p, w, head, lanes, lane_step, element_step, pixels, next);
            if (head > 4) {
                tinyc_add_elements_f32(sums, p + 4, w + 4 * element_step, head - 4, lanes, lane_step, element_step,
                                       pixels, next);
            }
            p += head;
            w += head * element_step;
            while (p != end) {
                tinyc_add_elements_f32(sums, p, w, turn, lanes, lane_step, element_step, pixels, next);
                p += turn;
                w += turn * element_step;
            }
        }
    }
    const int lost = tinyc_tainted_f32(tinyc_taint_f32(sums, pixels, lanes), low, high);
    const float least = lost ? NAN : low;
    const float most = lost ? NAN : high;
    tinyc_store_sums_f32(out, &sums[0], lanes, least, most, low, high);
    if (pixels > 1) {
        tinyc_store_sums_f32(out + out_next, &sums[1], lanes, least, most, low, high);
    }
    if (pixels > 2) {
        tinyc_store_sums_f32(out + 2 * out_next, &sums[2], lanes, least, most, low, high);
    }
    if (pixels > 3) {
        tinyc_store_sums_f32(out + 3 * out_next, &sums[3], lanes, least, most, low, high);
    }
    if (pixels > 4) {
        tinyc_store_sums_f32(out + 4 * out_next, &sums[4], lanes, least, most, low, high);
    }
    if (pixels > 5) {
        tinyc_store_sums_f32(out + 5 * out_next, &sums[5], lanes, least, most, low, high);
    }
    if (pixels > 6) {
        tinyc_store_sums_f32(out + 6 * out_next, &sums[6], lanes, least, most, low, high);
    }
    if (pixels > 7) {
        tinyc_store_sums_f32(out + 7 * out_next, &sums[7], lanes, least, most, low, high);
    }
    if (lost) {
        tinyc_clamp_pixels_f32(out, pixels, out_next, lanes, low, high);
    }
}

#endif
