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

/* common.h */

/* uncontracted.h */

/* fusing_f32.h */

/* multiply_add_f32.h */

/* xtensa_float.h */

/* accumulate_f32.h */

/* sums_f32.h */

/* add_products_f32.h */

/* clamp_f32.h */

/* clamp_pixels_f32.h */

/* limit_f32.h */

/* unscheduled.h */

/* next_f32.h */

/* walk_f32.h */

/* tile_f32.h */

/* conv2d_f32.h */

/* fill_rows_f32.h */

/* step_f32.h */

/* column_f32.h */

/* pixel_f32.h */

/* slide_f32.h */

/* xtensa_limit_f32.h */

/* slide_columns_f32.h */

/* depthwise3x3_f32.h */

/* pointwise_f32.h */

/* reduce_max_f32.h */

/* window_columns.h */

/* max_pool2d_f32.h */

/* rows_f32.h */

/* softmax_f32.h */

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
