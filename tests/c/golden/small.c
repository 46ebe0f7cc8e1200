/* small: layers and kernels. Made by tinyc; do not edit. */

#include "small.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "small_weights.h"

/* Where a build may look into the network: with -DTINYC_TIMES, -DTINYC_PROFILE or -DTINYC_DUMP
 * (small_hooks.h), or by definitions of its own, for example in a header given with -include. Without any, nothing
 * of it is there.
 *
 * TINYC_TRACE is called whenever elements of a layer's result are ready, with the number of the layer, the number of
 * the first element, a pointer to it and how many there are; TINYC_INPUT with the number of an input, a pointer to it
 * and its elements; TINYC_BEGIN before an inference (1) or a further part of one (0); TINYC_END after an inference.
 */
#if defined(TINYC_TIMES) || defined(TINYC_PROFILE) || defined(TINYC_DUMP) || defined(TINYC_DUMP_CHECKSUMS)
#include "small_hooks.h"
#endif
#ifndef TINYC_TRACE
#define TINYC_TRACE(stage, first, data, count) ((void)0)
#endif
#ifndef TINYC_INPUT
#define TINYC_INPUT(input, data, count) ((void)0)
#endif
#ifndef TINYC_BEGIN
#define TINYC_BEGIN(first) ((void)0)
#endif
#ifndef TINYC_END
#define TINYC_END() ((void)0)
#endif

/* Kernels are always inlined into functions that pass their geometry as literals: that is how they are specialised.
 * Those functions, and what prepares rows, are not inlined in turn: compilers take minutes over a whole network that
 * has become one function.
 */
#ifndef TINYC_INLINE
#if defined(__GNUC__)
#define TINYC_INLINE static inline __attribute__((always_inline))
#else
#define TINYC_INLINE static inline
#endif
#endif
#ifndef TINYC_NOINLINE
#if defined(__GNUC__)
#define TINYC_NOINLINE static __attribute__((noinline))
#else
#define TINYC_NOINLINE static
#endif
#endif

/* The compiler knows nothing of v from here on, and computes it before: neither is what follows moved up from here, nor
 * a jump around made a choice between values. With TINYC_KEEP_AFTER this is behind w, so that it stays in the loop that
 * computes w, and what is made of v takes no register before.
 */
#if defined(__GNUC__)
#define TINYC_KEEP(v) __asm__("" : "+r"(v))
#define TINYC_KEEP_AFTER(v, w) __asm__("" : "+r"(v) : "r"(w))
#else
#define TINYC_KEEP(v) (void)(v)
#define TINYC_KEEP_AFTER(v, w) (void)(v)
#endif

/* Products and sums of floats are rounded as they are written, whatever options the file is compiled with: no compiler
 * makes one operation of two. (Clang does under -ffp-contract=fast, and all compute something else under -ffast-math.)
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=off")
#else
#pragma STDC FP_CONTRACT OFF
#endif

/* Whether tinyc_multiply_add_f32 rounds once. */
#define TINYC_FUSING 0

/* sum + x * w: the product is rounded, and then the sum. */
TINYC_INLINE float tinyc_multiply_add_f32(float x, float w, float sum)
{
    return sum + x * w;
}

/* Whether the compiler's core has the floating-point unit of Xtensa: 16 registers, multiply-adds, moves on a condition,
 * loads and stores that move their pointer on. GCC copies sums from register to register between its own multiply-adds
 * and does not use the others, so there are functions of inline assembly for single instructions and for whole loops.
 * C of the same meaning stands beside each, for other cores and compilers, and where TINYC_EMULATE is defined.
 */
#if defined(__GNUC__) && !defined(__clang__) && defined(__XTENSA__) && !defined(__XTENSA_SOFT_FLOAT__) && \
    !defined(TINYC_EMULATE)
#define TINYC_XTENSA_FLOAT 1
#else
#define TINYC_XTENSA_FLOAT 0
#endif

/* Whether sums of products may be computed by instructions of Xtensa, which fuse. */
#define TINYC_XTENSA_FUSED (TINYC_XTENSA_FLOAT && TINYC_FUSING)

/* tinyc_multiply_add_f32 for a sum of many products, which stays in its register. A loop of these is none of Xtensa's
 * loops without overhead: it takes several.
 */
TINYC_INLINE float tinyc_accumulate_f32(float x, float w, float sum)
{
#if TINYC_XTENSA_FUSED
    __asm__("madd.s %0, %1, %2" : "+f"(sum) : "f"(x), "f"(w));
    return sum;
#else
    return tinyc_multiply_add_f32(x, w, sum);
#endif
}

/* Limits v to low..high. An infinite limit costs nothing; NaN passes through. */
TINYC_INLINE float tinyc_clamp_f32(float v, float low, float high)
{
#if TINYC_XTENSA_FLOAT
    if (low > -INFINITY) {
        __asm__("ole.s b0, %0, %1\n\tmovt.s %0, %1, b0" : "+f"(v) : "f"(low) : "b0");
    }
    if (high < INFINITY) {
        __asm__("olt.s b0, %1, %0\n\tmovt.s %0, %1, b0" : "+f"(v) : "f"(high) : "b0");
    }
#else
    if (low > -INFINITY) {
        v = v <= low ? low : v;
    }
    if (high < INFINITY) {
        v = high < v ? high : v;
    }
#endif
    return v;
}

/* Limits `lanes` neighbours of each of `pixels` pixels `next` apart, in place. */
TINYC_NOINLINE void tinyc_clamp_pixels_f32(float *out, int pixels, int next, int lanes, float low, float high)
{
    for (int p = 0; p < pixels; ++p) {
        for (int k = 0; k < lanes; ++k) {
            out[p * next + k] = tinyc_clamp_f32(out[p * next + k], low, high);
        }
    }
}

/* Limits v to low..high as tinyc_clamp_f32 does, by instructions where there are some. RISC-V's give the number if one
 * of two operands is NaN. So NaN is lost, unless `least` and `most`, which stand for low and high, are NaN themselves:
 * then nothing is limited.
 */
#if defined(__GNUC__) && defined(__riscv_flen)
#define TINYC_NUMBERS_ONLY 1
#else
#define TINYC_NUMBERS_ONLY 0
#endif
TINYC_INLINE float tinyc_limit_f32(float v, float least, float most, float low, float high)
{
#if TINYC_NUMBERS_ONLY
    if (low > -INFINITY) {
        __asm__("fmax.s %0, %1, %2" : "=f"(v) : "f"(v), "f"(least));
    }
    if (high < INFINITY) {
        __asm__("fmin.s %0, %1, %2" : "=f"(v) : "f"(v), "f"(most));
    }
    return v;
#else
    (void)low;
    (void)high;
    return tinyc_clamp_f32(v, least, most);
#endif
}

/* Whether tinyc_limit_f32 would lose NaN among some numbers. `taint`, made of products and sums of all of them, is NaN
 * if one of them is; where they overflow it may be, too.
 */
TINYC_INLINE int tinyc_tainted_f32(float taint, float low, float high)
{
    return TINYC_NUMBERS_ONLY && (low > -INFINITY || high < INFINITY) && taint != taint;
}

/* The sums of up to four output channels of one pixel. */
typedef struct {
    float s0, s1, s2, s3;
} tinyc_sums_f32;

/* Register tiles just fit the registers of RISC-V. GCC spills them, and takes up to half as many instructions again,
 * when it loads everything before the first product (scheduling, and the replacement of temporaries by trees), groups
 * sums anew, carries values from one turn of a loop to the next, or gives registers to loops one by one. From here to
 * the end of the file it does none of this, whatever options it is called with.
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O2,no-tree-reassoc,no-schedule-insns,no-tree-ter,no-tree-pre")
#pragma GCC optimize("no-predictive-commoning,ira-region=one")
#endif

/* The element at *p, which moves on to the next one. */
TINYC_INLINE float tinyc_next_f32(const float **p)
{
#if TINYC_XTENSA_FLOAT
    float v;
    const float *at = *p;
    __asm__("lsip %0, %1, 4" : "=f"(v), "+r"(at) : "m"(*at));
    *p = at;
    return v;
#else
    return *(*p)++;
#endif
}

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

/* Adds the products of one input element and the weights of `lanes` output channels. */
TINYC_INLINE void tinyc_add_products_f32(tinyc_sums_f32 *sums, float x, const float *w, int lanes, int lane_step)
{
    sums->s0 = tinyc_accumulate_f32(x, w[0], sums->s0);
    if (lanes > 1) {
        sums->s1 = tinyc_accumulate_f32(x, w[lane_step], sums->s1);
    }
    if (lanes > 2) {
        sums->s2 = tinyc_accumulate_f32(x, w[2 * lane_step], sums->s2);
    }
    if (lanes > 3) {
        sums->s3 = tinyc_accumulate_f32(x, w[3 * lane_step], sums->s3);
    }
}

/* The same for one element of each of `pixels` pixels `next` apart. */
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

/* `lanes` output channels of one row: see tinyc_conv2d_f32. */
TINYC_INLINE void tinyc_conv2d_lanes_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                         float *restrict out, int lanes, int skip, int width, int channels,
                                         int inputs, int out_width, int outputs, int kh, int kw, int stride,
                                         int dilation, int left, int before, int tile, int overlap, int larger,
                                         int smaller, int turn, int packed, int has_bias, float low, float high)
{
    const int lane_step = packed ? 1 : kh * kw * inputs;
    const int element_step = packed ? lanes : 1;
    /* A window row whose pixels touch each other is one run. */
    const int whole = dilation == 1 && inputs == channels;
    const int runs = whole ? 1 : kw;
    const int run = whole ? kw * inputs : inputs;
    const int step = dilation * channels;
    const int head = turn > 1 && run <= 8 ? run : run % turn;
    const int border_head = turn > 1 && inputs <= 8 ? inputs : inputs % turn;
    const int after = before + larger * tile - overlap + smaller * (tile - 1);
    int x = before;
    for (int k = 0; k < larger; ++k) {
        tinyc_tile_f32(rows, pad, w, bias, out + x * outputs, lanes, tile, 0, (x * stride - left) * channels, skip,
                       stride * channels, 0, kh, runs, step, run, head, turn, lane_step, element_step, has_bias,
                       outputs, low, high);
        x += k == 0 ? tile - overlap : tile;
    }
    for (int k = 0; k < smaller; ++k) {
        tinyc_tile_f32(rows, pad, w, bias, out + x * outputs, lanes, tile - 1, 0, (x * stride - left) * channels,
                       skip, stride * channels, 0, kh, runs, step, run, head, turn, lane_step, element_step,
                       has_bias, outputs, low, high);
        x += tile - 1;
    }
    /* The pixels before and after those. */
    for (x = before > 0 ? 0 : after; x < out_width; x = x + 1 == before ? after : x + 1) {
        tinyc_tile_f32(rows, pad, w, bias, out + x * outputs, lanes, 1, 1, (x * stride - left) * channels, skip, 0,
                       width * channels, kh, kw, step, inputs, border_head, turn, lane_step, element_step, has_bias,
                       0, low, high);
    }
}

/* One output row of a convolution from kh input rows; `left` columns of the value in `pad` lie before each. `before`
 * pixels of the output reach into these; then come `larger` tiles of `tile` pixels, of which the second begins
 * `overlap` pixels before the first ends, and `smaller` tiles of one less; and then those that reach into columns on
 * the right. See tinyc_tile_f32 for `turn`.
 *
 * Weights come, for each group, in blocks of four output channels and a last one of the one to three left over.
 * Packed, the lanes of a block are interleaved: [kh][kw][inputs][lanes]. Otherwise weights are
 * [outputs][kh][kw][inputs].
 * Output channels are the outer loop, so that a row needs each weight once.
 */
TINYC_INLINE void tinyc_conv2d_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                   float *restrict out, int width, int channels, int out_width, int outputs, int kh,
                                   int kw, int stride, int dilation, int left, int groups, int before, int tile,
                                   int overlap, int larger, int smaller, int turn, int packed, int has_bias,
                                   float low, float high)
{
    const int inputs = channels / groups;
    const int each = outputs / groups;
    const int rest = each % 4;
    for (int g = 0; g < groups; ++g) {
        int o = g * each;
        for (; o + 4 <= g * each + each; o += 4) {
            tinyc_conv2d_lanes_f32(rows, pad, w + o * kh * kw * inputs, has_bias ? bias + o : bias, out + o, 4,
                                   g * inputs, width, channels, inputs, out_width, outputs, kh, kw, stride, dilation,
                                   left, before, tile, overlap, larger, smaller, turn, packed, has_bias, low, high);
        }
        if (rest != 0) {
            tinyc_conv2d_lanes_f32(rows, pad, w + o * kh * kw * inputs, has_bias ? bias + o : bias, out + o, rest,
                                   g * inputs, width, channels, inputs, out_width, outputs, kh, kw, stride, dilation,
                                   left, before, tile, overlap, larger, smaller, turn, packed, has_bias, low, high);
        }
    }
}

/* Points rows[0..size-1] to rows first, first + dilation, ... of x, and to the row `pad` where x has no such row. x has
 * `height` rows and keeps `ring` of them.
 */
TINYC_NOINLINE void tinyc_fill_rows_f32(const float **rows, const float *x, const float *pad, int first, int size,
                                        int dilation, int height, int ring, int row)
{
    for (int k = 0; k < size; ++k) {
        const int y = first + k * dilation;
        rows[k] = y >= 0 && y < height ? x + y % ring * row : pad;
    }
}

/* The element at *p, which moves on by `step` elements. */
TINYC_INLINE float tinyc_step_f32(const float **p, int step)
{
#if TINYC_XTENSA_FLOAT
    float v;
    const float *at = *p;
    __asm__("lsxp %0, %1, %2" : "=f"(v), "+r"(at) : "r"(step * 4), "m"(*at));
    *p = at;
    return v;
#else
    const float v = **p;
    *p += step;
    return v;
#endif
}

/* Three elements or weights of a channel, one below the other. */
typedef struct {
    float top, middle, bottom;
} tinyc_column_f32;

/* sum and the products of a column of elements and one of weights, from the top down. */
TINYC_INLINE float tinyc_add_column_f32(float sum, tinyc_column_f32 x, tinyc_column_f32 w)
{
    sum = tinyc_accumulate_f32(x.top, w.top, sum);
    sum = tinyc_accumulate_f32(x.middle, w.middle, sum);
    return tinyc_accumulate_f32(x.bottom, w.bottom, sum);
}

/* The columns of a window of 3x3 weights of a channel, which lie row by row, `next` elements apart. */
TINYC_INLINE void tinyc_window_f32(tinyc_column_f32 *v, const float *w, int next)
{
    v[0].top = tinyc_step_f32(&w, next);
    v[1].top = tinyc_step_f32(&w, next);
    v[2].top = tinyc_step_f32(&w, next);
    v[0].middle = tinyc_step_f32(&w, next);
    v[1].middle = tinyc_step_f32(&w, next);
    v[2].middle = tinyc_step_f32(&w, next);
    v[0].bottom = tinyc_step_f32(&w, next);
    v[1].bottom = tinyc_step_f32(&w, next);
    v[2].bottom = *w;
}

/* Writes one channel of four pixels `next` apart. */
TINYC_INLINE void tinyc_store_four_f32(float *out, int next, float a, float b, float c, float d, float low, float high)
{
    const int lost = tinyc_tainted_f32(tinyc_multiply_add_f32(a, b, c * d), low, high);
    const float least = lost ? NAN : low;
    const float most = lost ? NAN : high;
    out[0] = tinyc_limit_f32(a, least, most, low, high);
    out[next] = tinyc_limit_f32(b, least, most, low, high);
    out[2 * next] = tinyc_limit_f32(c, least, most, low, high);
    out[3 * next] = tinyc_limit_f32(d, least, most, low, high);
    if (lost) {
        tinyc_clamp_pixels_f32(out, 4, next, 1, low, high);
    }
}

/* The pixel in a column of a row of `width` pixels, or the one at `pad` where the row has no such column. */
TINYC_INLINE const float *tinyc_pixel_f32(const float *row, const float *pad, int column, int width, int channels)
{
    return column >= 0 && column < width ? row + column * channels : pad;
}

/* The sums that the next column belongs to: `first` is the output that it completes, `second` the one after that; a
 * third begins with it.
 */
typedef struct {
    float first, second;
} tinyc_open_f32;

/* Adds a column to the sums of the three outputs it belongs to, and returns the one it completes. */
TINYC_INLINE float tinyc_slide_f32(tinyc_open_f32 *open, float top, float middle, float bottom,
                                   const tinyc_column_f32 *w, float start)
{
    const tinyc_column_f32 x = {top, middle, bottom};
    const float done = tinyc_add_column_f32(open->first, x, w[2]);
    open->first = tinyc_add_column_f32(open->second, x, w[1]);
    open->second = tinyc_add_column_f32(start, x, w[0]);
    return done;
}

/* Limit a named operand of inline assembly to the operands low and high, as tinyc_clamp_f32 does. */
#define TINYC_XTENSA_NO_LIMIT(v)
#define TINYC_XTENSA_LIMIT_LOW(v) "ole.s b0, %[" v "], %[low]\n\tmovt.s %[" v "], %[low], b0\n\t"
#define TINYC_XTENSA_LIMIT_HIGH(v) "olt.s b0, %[high], %[" v "]\n\tmovt.s %[" v "], %[high], b0\n\t"
#define TINYC_XTENSA_LIMIT(v) TINYC_XTENSA_LIMIT_LOW(v) TINYC_XTENSA_LIMIT_HIGH(v)

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

/* One output row of a 3x3 depthwise convolution of stride 1, one output channel for each input channel.
 *
 * A channel's nine weights stay in registers while its columns pass by. Each column is read once and added to the
 * sums of the three outputs it belongs to. So there are 3 loads for 9 products. Up to 2 columns `left` of a row are
 * read from `pad`, and so are those right of it. `out` may be one of the rows: a column is read before the output in
 * its place is written.
 */
TINYC_INLINE void tinyc_depthwise3x3_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                         float *out, int width, int channels, int out_width, int left, int block,
                                         int has_bias, float low, float high)
{
    /* What is written could otherwise be thought to change the pointers. */
    const float *const top = rows[0], *const middle = rows[1], *const bottom = rows[2];
    /* The outputs whose last column lies in the row. */
    const int fitting = width + left - 2 < out_width ? width + left - 2 : out_width;
    for (int c = 0; c < channels; ++c) {
        tinyc_column_f32 v[3];
        tinyc_window_f32(v, w + c, channels);
        const float start = has_bias ? bias[c] : 0.0f;
        float *to = out + c;
        const tinyc_column_f32 zeroth = {tinyc_pixel_f32(top, pad, -left, width, channels)[c],
                                         tinyc_pixel_f32(middle, pad, -left, width, channels)[c],
                                         tinyc_pixel_f32(bottom, pad, -left, width, channels)[c]};
        tinyc_open_f32 open = {start, tinyc_add_column_f32(start, zeroth, v[0])};
        (void)tinyc_slide_f32(&open, tinyc_pixel_f32(top, pad, 1 - left, width, channels)[c],
                              tinyc_pixel_f32(middle, pad, 1 - left, width, channels)[c],
                              tinyc_pixel_f32(bottom, pad, 1 - left, width, channels)[c], v, start);
        const float *t = top + (2 - left) * channels + c;
        const float *m = middle + (2 - left) * channels + c;
        const float *b = bottom + (2 - left) * channels + c;
        int x = 0;
        for (; block == 4 && x + 4 <= fitting; x += 4) {
            const float p = tinyc_slide_f32(&open, t[0], m[0], b[0], v, start);
            const float q = tinyc_slide_f32(&open, t[channels], m[channels], b[channels], v, start);
            const float r = tinyc_slide_f32(&open, t[2 * channels], m[2 * channels], b[2 * channels], v, start);
            const float s = tinyc_slide_f32(&open, t[3 * channels], m[3 * channels], b[3 * channels], v, start);
            tinyc_store_four_f32(to, channels, p, q, r, s, low, high);
            t += 4 * channels;
            m += 4 * channels;
            b += 4 * channels;
            to += 4 * channels;
        }
        x = tinyc_slide_columns_f32(&open, &t, &m, &b, &to, x, fitting, channels, v, start, low, high);
        for (; x < out_width; ++x) {
            *to = tinyc_clamp_f32(tinyc_slide_f32(&open, pad[c], pad[c], pad[c], v, start), low, high);
            to += channels;
        }
    }
}

/* `lanes` output channels of all pixels: see tinyc_pointwise_f32. */
TINYC_INLINE void tinyc_pointwise_lanes_f32(const float *x, const float *w, const float *bias, float *restrict out,
                                            int lanes, int inputs, int outputs, int larger, int smaller, int tile,
                                            int overlap, int head, int turn, int lane_step, int element_step,
                                            int has_bias, float low, float high)
{
    for (int k = 0; k < larger; ++k) {
        const int next = k == 0 ? tile - overlap : tile;
        tinyc_tile_f32(&x, x, w, bias, out, lanes, tile, 0, 0, 0, inputs, 0, 1, 1, 0, inputs, head, turn, lane_step,
                       element_step, has_bias, outputs, low, high);
        x += next * inputs;
        out += next * outputs;
    }
    for (int k = 0; k < smaller; ++k) {
        tinyc_tile_f32(&x, x, w, bias, out, lanes, tile - 1, 0, 0, 0, inputs, 0, 1, 1, 0, inputs, head, turn,
                       lane_step, element_step, has_bias, outputs, low, high);
        x += (tile - 1) * inputs;
        out += (tile - 1) * outputs;
    }
}

/* A 1x1 convolution, or a dense layer on as many rows: `larger` tiles of `tile` pixels, of which the second begins
 * `overlap` pixels before the first ends, and then `smaller` tiles of one less.
 *
 * Weights come in blocks of four output channels and a last one of the `rest` left over. Packed, the lanes of a
 * block are interleaved; otherwise weights are [outputs][inputs]. See tinyc_tile_f32 for `head` and `turn`. Inputs,
 * outputs and the numbers of tiles need not be literals, so that layers may share the code.
 */
TINYC_INLINE void tinyc_pointwise_f32(const float *x, const float *w, const float *bias, float *restrict out,
                                      int inputs, int outputs, int larger, int smaller, int tile, int overlap, int head,
                                      int turn, int rest, int packed, int has_bias, float low, float high)
{
    int o = 0;
    for (; o + 4 <= outputs; o += 4) {
        tinyc_pointwise_lanes_f32(x, w + o * inputs, has_bias ? bias + o : bias, out + o, 4, inputs, outputs, larger,
                                  smaller, tile, overlap, head, turn, packed ? 1 : inputs, packed ? 4 : 1, has_bias,
                                  low, high);
    }
    if (rest != 0) {
        tinyc_pointwise_lanes_f32(x, w + o * inputs, has_bias ? bias + o : bias, out + o, rest, inputs, outputs,
                                  larger, smaller, tile, overlap, head, turn, packed ? 1 : inputs,
                                  packed ? rest : 1, has_bias, low, high);
    }
}

/* The larger of what was found so far and v; NaN stays. */
TINYC_INLINE float tinyc_reduce_max_f32(float found, float v)
{
    return v > found || v != v ? v : found;
}

/* The first column of a window that lies in the row, where the window begins at `first`: columns before the row are
 * skipped in steps of the dilation.
 */
TINYC_INLINE int tinyc_window_from(int first, int dilation)
{
    return first < 0 ? first + (dilation - 1 - first) / dilation * dilation : first;
}

/* Behind the last column of a window of `extent` columns that lies in the row. */
TINYC_INLINE int tinyc_window_end(int first, int extent, int width)
{
    return first + extent < width ? first + extent : width;
}

/* The largest of `count` rows by the columns from, from + dilation, ..., before `to`, for each channel. */
TINYC_INLINE void tinyc_max_pixel_f32(const float **rows, float *restrict out, int count, int from, int to,
                                      int dilation, int channels)
{
    for (int c = 0; c < channels; ++c) {
        float found = rows[0][from * channels + c];
        for (int k = 0; k < count; ++k) {
            for (int x = from; x < to; x += dilation) {
                found = tinyc_reduce_max_f32(found, rows[k][x * channels + c]);
            }
        }
        out[c] = found;
    }
}

/* One output row of a max pooling from the `count` input rows that exist. Columns outside 0..width-1 take no part. */
TINYC_INLINE void tinyc_max_pool2d_f32(const float **rows, int count, float *restrict out, int width, int channels,
                                       int out_width, int kw, int stride, int dilation, int left)
{
    const int extent = (kw - 1) * dilation + 1;
    const int border = left > 0 || (out_width - 1) * stride - left + extent > width;
    for (int x = 0; x < out_width; ++x) {
        const int first = x * stride - left;
        if (!border || (first >= 0 && first + extent <= width)) {
            tinyc_max_pixel_f32(rows, out + x * channels, count, first, first + extent, dilation, channels);
        } else {
            const int from = tinyc_window_from(first, dilation);
            const int to = tinyc_window_end(first, extent, width);
            tinyc_max_pixel_f32(rows, out + x * channels, count, from, to, dilation, channels);
        }
    }
}

/* Points rows[0..size-1] to rows first, first + dilation, ... of x, all of which exist. A row has `row` elements, and x
 * keeps `ring` rows: row y lies in place y % ring.
 */
TINYC_NOINLINE void tinyc_rows_f32(const float **rows, const float *x, int first, int size, int dilation, int ring,
                                   int row)
{
    for (int k = 0; k < size; ++k) {
        rows[k] = x + (first + k * dilation) % ring * row;
    }
}

/* exp(x - max) / sum of exp(x - max) over each of `count` rows of n elements. `out` may be x. */
TINYC_INLINE void tinyc_softmax_f32(const float *x, float *out, int count, int n)
{
    for (int k = 0; k < count; ++k) {
        float most = x[0];
        float sum = 0.0f;
        for (int i = 1; i < n; ++i) {
            most = tinyc_reduce_max_f32(most, x[i]);
        }
        for (int i = 0; i < n; ++i) {
            out[i] = expf(x[i] - most);
            sum += out[i];
        }
        for (int i = 0; i < n; ++i) {
            out[i] = out[i] / sum;
        }
        x += n;
        out += n;
    }
}

TINYC_NOINLINE void small_conv3x3_0(const float **rows, const float *pad, const float *w, const float *b, float *out)
{
    tinyc_conv2d_f32(rows, pad, w, b, out, /*width=*/6, /*channels=*/1, /*out_width=*/6, /*outputs=*/4, /*kh=*/3,
        /*kw=*/3, /*stride=*/1, /*dilation=*/1, /*left=*/1, /*groups=*/1, /*before=*/1, /*tile=*/2, /*overlap=*/0,
        /*larger=*/2, /*smaller=*/0, /*turn=*/1, /*packed=*/1, /*has_bias=*/1, /*low=*/0.0f, /*high=*/INFINITY);
}

TINYC_NOINLINE void small_depthwise3x3_1(const float **rows, const float *pad, const float *w, float *out)
{
    tinyc_depthwise3x3_f32(rows, pad, w, NULL, out, /*width=*/6, /*channels=*/4, /*out_width=*/6, /*left=*/1,
        /*block=*/1, /*has_bias=*/0, /*low=*/0.0f, /*high=*/6.0f);
}

TINYC_NOINLINE void small_pointwise_2(const float *x, const float *w, float *out)
{
    tinyc_pointwise_f32(x, w, NULL, out, /*inputs=*/4, /*outputs=*/4, /*larger=*/18, /*smaller=*/0, /*tile=*/2,
        /*overlap=*/0, /*head=*/0, /*turn=*/1, /*rest=*/0, /*packed=*/1, /*has_bias=*/0, /*low=*/-INFINITY,
        /*high=*/INFINITY);
}

TINYC_NOINLINE void small_add_3(const float *x0, const float *x1, float *out)
{
    for (int i0 = 0; i0 < 144; ++i0) {
        out[i0] = x0[i0] + x1[i0];
    }
}

TINYC_NOINLINE void small_maxpool2x2_4(const float **rows, float *out)
{
    tinyc_max_pool2d_f32(rows, /*count=*/2, out, /*width=*/6, /*channels=*/4, /*out_width=*/3, /*kw=*/2,
        /*stride=*/2, /*dilation=*/1, /*left=*/0);
}

TINYC_NOINLINE void small_reduce_mean_5(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 4; ++i0) {
        float sum = 0.0f;
        for (int i1 = 0; i1 < 9; ++i1) {
            sum += x0[i0 + i1 * 4];
        }
        out[i0] = sum / 9.0f;
    }
}

TINYC_NOINLINE void small_dense_6(const float *x, const float *w, const float *b, float *out)
{
    tinyc_pointwise_f32(x, w, b, out, /*inputs=*/4, /*outputs=*/3, /*larger=*/1, /*smaller=*/0, /*tile=*/1,
        /*overlap=*/0, /*head=*/0, /*turn=*/1, /*rest=*/3, /*packed=*/1, /*has_bias=*/1, /*low=*/-INFINITY,
        /*high=*/INFINITY);
}

TINYC_NOINLINE void small_softmax_7(const float *x, float *out)
{
    tinyc_softmax_f32(x, out, /*count=*/1, /*n=*/3);
}

void small_run(void *arena, const float *input, float *output)
{
    unsigned char *const mem = (unsigned char *)arena;
    float *const stem = (float *)(void *)(mem + 576);
    float *const dw = (float *)(void *)(mem + 1152);
    float *const pw = (float *)(void *)(mem + 0);
    float *const sum = (float *)(void *)(mem + 0);
    float *const pool = (float *)(void *)(mem + 576);
    float *const mean = (float *)(void *)(mem + 0);
    float *const logits = (float *)(void *)(mem + 16);
    float *const flat = (float *)(void *)(mem + 0);
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 36);

    /* 0 conv2d "stem/conv+stem/relu": 6x6x1 -> 6x6x4, 3x3 stride 1 pads 1, relu, 1296 MACs */
    for (int y = 0; y < 6; ++y) {
        const float *rows[3];
        tinyc_fill_rows_f32(rows, input, small_zeros, y - 1, 3, 1, 6, 6, 6);
        small_conv3x3_0(rows, small_zeros, small_stem_w_packed, small_stem_b, stem + y * 24);
    }
    TINYC_TRACE(0, 0, stem, 144);

    /* 1 depthwise_conv2d "dw": 6x6x4 -> 6x6x4, 3x3 stride 1 pads 1, relu6, 1296 MACs */
    for (int y = 0; y < 6; ++y) {
        const float *rows[3];
        tinyc_fill_rows_f32(rows, stem, small_zeros, y - 1, 3, 1, 6, 6, 24);
        small_depthwise3x3_1(rows, small_zeros, small_dw_w, dw + y * 24);
    }
    TINYC_TRACE(1, 0, dw, 144);

    /* 2 conv2d "pw": 6x6x4 -> 6x6x4, 1x1 stride 1, 576 MACs */
    small_pointwise_2(dw, small_pw_w_packed, pw);
    TINYC_TRACE(2, 0, pw, 144);

    /* 3 add "residual": 6x6x4, 6x6x4 -> 6x6x4 */
    small_add_3(pw, stem, sum);
    TINYC_TRACE(3, 0, sum, 144);

    /* 4 max_pool2d "pool": 6x6x4 -> 3x3x4, 2x2 stride 2 */
    for (int y = 0; y < 3; ++y) {
        const float *rows[2];
        tinyc_rows_f32(rows, sum, y * 2, 2, 1, 6, 24);
        small_maxpool2x2_4(rows, pool + y * 12);
    }
    TINYC_TRACE(4, 0, pool, 36);

    /* 5 reduce_mean "gap": 3x3x4 -> 1x1x4 */
    small_reduce_mean_5(pool, mean);
    TINYC_TRACE(5, 0, mean, 4);

    /* 6 dense "fc": 4 -> 3, 12 MACs */
    small_dense_6(flat, small_fc_w_packed, small_fc_b, logits);
    TINYC_TRACE(6, 0, logits, 3);

    /* 7 softmax "softmax": 3 -> 3 */
    small_softmax_7(logits, output);
    TINYC_TRACE(7, 0, output, 3);
    TINYC_END();
}
