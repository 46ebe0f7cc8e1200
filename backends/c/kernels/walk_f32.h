#ifndef TINYC_WALK_F32_H
#define TINYC_WALK_F32_H

#include "accumulate_f32.h"
#include "common.h"
#include "next_f32.h"
#include "sums_f32.h"
#include "unscheduled.h"

/* Where the next element of each of up to three pixels is, and the next weight. */
typedef struct {
    const float *x0, *x1, *x2, *w;
} tinyc_places_f32;

/* Adds the products of a weight and an element of each of `pixels` pixels to their sums of one output channel. */
TINYC_INLINE void tinyc_add_weight_f32(float *s0, float *s1, float *s2, float w, float x0, float x1, float x2,
                                       int pixels)
{
    *s0 = tinyc_accumulate_f32(x0, w, *s0);
    if (pixels > 1) {
        *s1 = tinyc_accumulate_f32(x1, w, *s1);
    }
    if (pixels > 2) {
        *s2 = tinyc_accumulate_f32(x2, w, *s2);
    }
}

/* The weight of an output channel: the next one, if those of an element lie side by side, `closely`. */
TINYC_INLINE float tinyc_walk_weight_f32(tinyc_places_f32 *at, int lane, int closely, int lane_step)
{
    return closely ? tinyc_next_f32(&at->w) : at->w[lane * lane_step];
}

/* Adds the products of the next element of each pixel. */
TINYC_INLINE void tinyc_walk_element_f32(tinyc_sums_f32 *sums, tinyc_places_f32 *at, int lanes, int lane_step,
                                         int element_step, int pixels)
{
    const int closely = lane_step == 1 && element_step == lanes;
    const float x0 = tinyc_next_f32(&at->x0);
    const float x1 = pixels > 1 ? tinyc_next_f32(&at->x1) : 0.0f;
    const float x2 = pixels > 2 ? tinyc_next_f32(&at->x2) : 0.0f;
    tinyc_add_weight_f32(&sums[0].s0, &sums[1].s0, &sums[2].s0, tinyc_walk_weight_f32(at, 0, closely, lane_step), x0,
                         x1, x2, pixels);
    if (lanes > 1) {
        tinyc_add_weight_f32(&sums[0].s1, &sums[1].s1, &sums[2].s1, tinyc_walk_weight_f32(at, 1, closely, lane_step),
                             x0, x1, x2, pixels);
    }
    if (lanes > 2) {
        tinyc_add_weight_f32(&sums[0].s2, &sums[1].s2, &sums[2].s2, tinyc_walk_weight_f32(at, 2, closely, lane_step),
                             x0, x1, x2, pixels);
    }
    if (lanes > 3) {
        tinyc_add_weight_f32(&sums[0].s3, &sums[1].s3, &sums[2].s3, tinyc_walk_weight_f32(at, 3, closely, lane_step),
                             x0, x1, x2, pixels);
    }
    if (!closely) {
        at->w += element_step;
    }
}

/* The same for up to four elements. */
TINYC_INLINE void tinyc_walk_elements_f32(tinyc_sums_f32 *sums, tinyc_places_f32 *at, int count, int lanes,
                                          int lane_step, int element_step, int pixels)
{
    if (count > 0) {
        tinyc_walk_element_f32(sums, at, lanes, lane_step, element_step, pixels);
    }
    if (count > 1) {
        tinyc_walk_element_f32(sums, at, lanes, lane_step, element_step, pixels);
    }
    if (count > 2) {
        tinyc_walk_element_f32(sums, at, lanes, lane_step, element_step, pixels);
    }
    if (count > 3) {
        tinyc_walk_element_f32(sums, at, lanes, lane_step, element_step, pixels);
    }
}

/* A run of tinyc_tile_f32, which says what the arguments are, for 1 to 3 pixels, fewer than lanes: adds the products of
 * n elements of each and returns the weight behind theirs.
 *
 * The elements of the pixels are held while the weights pass by, one at a time: twelve sums then need no more than 16
 * registers. Each pointer moves on by itself, in the load where the core has that.
 */
TINYC_INLINE const float *tinyc_walk_f32(tinyc_sums_f32 *sums, const float *p, const float *w, int n, int head,
                                         int turn, int lanes, int lane_step, int element_step, int pixels, int next)
{
    tinyc_places_f32 at = {p, p + (pixels > 1 ? next : 0), p + (pixels > 2 ? 2 * next : 0), w};
    tinyc_walk_elements_f32(sums, &at, head, lanes, lane_step, element_step, pixels);
    if (head > 4) {
        tinyc_walk_elements_f32(sums, &at, head - 4, lanes, lane_step, element_step, pixels);
    }
    /* The compiler does not know where x0 is by now, but that there is no more if n is the literal head. */
    const float *const end = at.x0 + (n - head);
    while (at.x0 != end) {
        tinyc_walk_elements_f32(sums, &at, turn, lanes, lane_step, element_step, pixels);
    }
    return at.w;
}

#endif
