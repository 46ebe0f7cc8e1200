/* small: layers and kernels. Made by tinyc; do not edit. */

#include "small.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "small_weights.h"

/* Where a build may look into the network: with -DTINYC_PROFILE or -DTINYC_DUMP (small_hooks.h), or by
 * definitions of its own, for example in a header given with -include. Without any, nothing of it is there.
 *
 * TINYC_TRACE is called whenever elements of a layer's result are ready, with the number of the layer, the number of
 * the first element, a pointer to it and how many there are; TINYC_INPUT with the number of an input, a pointer to it
 * and its elements; TINYC_BEGIN before an inference (1) or a further part of one (0); TINYC_END after an inference.
 */
#if defined(TINYC_PROFILE) || defined(TINYC_DUMP) || defined(TINYC_DUMP_CHECKSUMS)
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
 * a jump around made a choice between values.
 */
#if defined(__GNUC__)
#define TINYC_KEEP(v) __asm__("" : "+r"(v))
#else
#define TINYC_KEEP(v) (void)(v)
#endif

/* Limits v to low..high. An infinite limit costs nothing; NaN passes through. */
TINYC_INLINE float tinyc_clamp_f32(float v, float low, float high)
{
    if (low > -INFINITY) {
        v = v < low ? low : v;
    }
    if (high < INFINITY) {
        v = high < v ? high : v;
    }
    return v;
}

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

/* `lanes` output channels of one row: see tinyc_conv2d_f32. */
TINYC_INLINE void tinyc_conv2d_lanes_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                         float *restrict out, int lanes, int skip, int width, int channels,
                                         int inputs, int out_width, int outputs, int kh, int kw, int stride,
                                         int dilation, int left, int packed, int has_bias, float low, float high)
{
    const int reach = (kw - 1) * dilation;
    const int lane_step = packed ? 1 : kh * kw * inputs;
    const int element_step = packed ? lanes : 1;
    /* A window row whose pixels touch each other is one run. */
    const int whole = dilation == 1 && inputs == channels;
    const int border = left > 0 || (out_width - 1) * stride - left + reach >= width;
    int x = 0;
    while (x < out_width) {
        const int first = x * stride - left;
        float *const to = out + x * outputs;
        if (x + 2 <= out_width && (!border || (first >= 0 && first + stride + reach < width))) {
            tinyc_tile_f32(rows, pad, w, bias, to, lanes, 1, 0, first * channels, skip, stride * channels, 0, kh,
                           whole ? 1 : kw, dilation * channels, whole ? kw * inputs : inputs, lane_step, element_step,
                           has_bias, outputs, low, high);
            x += 2;
        } else {
            const int runs = border || !whole;
            tinyc_tile_f32(rows, pad, w, bias, to, lanes, 0, border, first * channels, skip, 0, width * channels, kh,
                           runs ? kw : 1, dilation * channels, runs ? inputs : kw * inputs, lane_step, element_step,
                           has_bias, 0, low, high);
            x += 1;
        }
    }
}

/* One output row of a convolution from kh input rows; `left` columns of the value in `pad` lie before each.
 *
 * Weights come, for each group, in blocks of four output channels and a last one of the one to three left over.
 * Packed, the lanes of a block are interleaved: [kh][kw][inputs][lanes]. Otherwise weights are
 * [outputs][kh][kw][inputs].
 * Output channels are the outer loop, so that a row needs each weight once.
 */
TINYC_INLINE void tinyc_conv2d_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                   float *restrict out, int width, int channels, int out_width, int outputs, int kh,
                                   int kw, int stride, int dilation, int left, int groups, int packed, int has_bias,
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
                                   left, packed, has_bias, low, high);
        }
        if (rest != 0) {
            tinyc_conv2d_lanes_f32(rows, pad, w + o * kh * kw * inputs, has_bias ? bias + o : bias, out + o, rest,
                                   g * inputs, width, channels, inputs, out_width, outputs, kh, kw, stride, dilation,
                                   left, packed, has_bias, low, high);
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

/* The pixel in a column of a row of `width` pixels, or the one at `pad` where the row has no such column. */
TINYC_INLINE const float *tinyc_pixel_f32(const float *row, const float *pad, int column, int width, int channels)
{
    return column >= 0 && column < width ? row + column * channels : pad;
}

/* One output row of a 3x3 depthwise convolution of stride 1, one output channel for each input channel.
 *
 * A channel's nine weights stay in registers while its columns pass by. Each column is read once and added to the
 * sums of the three outputs it belongs to: `sum` is the output it completes, `later` the one after that, and a third
 * begins with it. So there are 3 loads for 9 products. Up to 2 columns `left` of a row are read from `pad`, and so
 * are those right of it. `out` may be one of the rows: a column is read before the output in its place is written.
 */
TINYC_INLINE void tinyc_depthwise3x3_f32(const float **rows, const float *pad, const float *w, const float *bias,
                                         float *out, int width, int channels, int out_width, int left,
                                         int has_bias, float low, float high)
{
    /* What is written could otherwise be thought to change the pointers. */
    const float *const top = rows[0], *const middle = rows[1], *const bottom = rows[2];
    /* The outputs whose last column lies in the row. */
    const int fitting = width + left - 2 < out_width ? width + left - 2 : out_width;
    for (int c = 0; c < channels; ++c) {
        const float w0 = w[c], w1 = w[channels + c], w2 = w[2 * channels + c];
        const float w3 = w[3 * channels + c], w4 = w[4 * channels + c], w5 = w[5 * channels + c];
        const float w6 = w[6 * channels + c], w7 = w[7 * channels + c], w8 = w[8 * channels + c];
        const float start = has_bias ? bias[c] : 0.0f;
        float *to = out + c;
        float t = tinyc_pixel_f32(top, pad, -left, width, channels)[c];
        float m = tinyc_pixel_f32(middle, pad, -left, width, channels)[c];
        float b = tinyc_pixel_f32(bottom, pad, -left, width, channels)[c];
        float sum = start + t * w0 + m * w3 + b * w6;
        float later;
        int x = 0;
        t = tinyc_pixel_f32(top, pad, 1 - left, width, channels)[c];
        m = tinyc_pixel_f32(middle, pad, 1 - left, width, channels)[c];
        b = tinyc_pixel_f32(bottom, pad, 1 - left, width, channels)[c];
        sum += t * w1 + m * w4 + b * w7;
        later = start + t * w0 + m * w3 + b * w6;
        for (; x < fitting; ++x) {
            const int at = (x + 2 - left) * channels + c;
            t = top[at];
            m = middle[at];
            b = bottom[at];
            *to = tinyc_clamp_f32(sum + t * w2 + m * w5 + b * w8, low, high);
            sum = later + t * w1 + m * w4 + b * w7;
            later = start + t * w0 + m * w3 + b * w6;
            to += channels;
        }
        for (; x < out_width; ++x) {
            t = pad[c];
            *to = tinyc_clamp_f32(sum + t * w2 + t * w5 + t * w8, low, high);
            sum = later + t * w1 + t * w4 + t * w7;
            later = start + t * w0 + t * w3 + t * w6;
            to += channels;
        }
    }
}

/* `lanes` output channels of all pixels: see tinyc_pointwise_f32. */
TINYC_INLINE void tinyc_pointwise_lanes_f32(const float *x, const float *w, const float *bias, float *restrict out,
                                            int lanes, int pixels, int inputs, int outputs, int lane_step,
                                            int element_step, int has_bias, float low, float high)
{
    int p = 0;
    for (; p + 2 <= pixels; p += 2) {
        tinyc_tile_f32(&x, x, w, bias, out + p * outputs, lanes, 1, 0, p * inputs, 0, inputs, 0, 1, 1, 0, inputs,
                       lane_step, element_step, has_bias, outputs, low, high);
    }
    if (pixels % 2 != 0) {
        tinyc_tile_f32(&x, x, w, bias, out + p * outputs, lanes, 0, 0, p * inputs, 0, 0, 0, 1, 1, 0, inputs, lane_step,
                       element_step, has_bias, 0, low, high);
    }
}

/* A 1x1 convolution of `pixels` pixels, or a dense layer on as many rows.
 *
 * Weights come in blocks of four output channels and a last one of the one to three left over. Packed, the lanes of a
 * block are interleaved; otherwise weights are [outputs][inputs].
 */
TINYC_INLINE void tinyc_pointwise_f32(const float *x, const float *w, const float *bias, float *restrict out,
                                      int pixels, int inputs, int outputs, int packed, int has_bias, float low,
                                      float high)
{
    const int rest = outputs % 4;
    int o = 0;
    for (; o + 4 <= outputs; o += 4) {
        tinyc_pointwise_lanes_f32(x, w + o * inputs, has_bias ? bias + o : bias, out + o, 4, pixels, inputs, outputs,
                                  packed ? 1 : inputs, packed ? 4 : 1, has_bias, low, high);
    }
    if (rest != 0) {
        tinyc_pointwise_lanes_f32(x, w + o * inputs, has_bias ? bias + o : bias, out + o, rest, pixels, inputs,
                                  outputs, packed ? 1 : inputs, packed ? rest : 1, has_bias, low, high);
    }
}

/* The larger of what was found so far and v; NaN stays. */
TINYC_INLINE float tinyc_reduce_max_f32(float found, float v)
{
    return v > found || v != v ? v : found;
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
            /* Columns before the row are skipped in steps of the dilation. */
            const int from = first < 0 ? first + (dilation - 1 - first) / dilation * dilation : first;
            const int to = first + extent < width ? first + extent : width;
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
        /*kw=*/3, /*stride=*/1, /*dilation=*/1, /*left=*/1, /*groups=*/1, /*packed=*/1, /*has_bias=*/1, /*low=*/0.0f,
        /*high=*/INFINITY);
}

TINYC_NOINLINE void small_depthwise3x3_1(const float **rows, const float *pad, const float *w, float *out)
{
    tinyc_depthwise3x3_f32(rows, pad, w, NULL, out, /*width=*/6, /*channels=*/4, /*out_width=*/6, /*left=*/1,
        /*has_bias=*/0, /*low=*/0.0f, /*high=*/6.0f);
}

TINYC_NOINLINE void small_pointwise_2(const float *x, const float *w, float *out)
{
    tinyc_pointwise_f32(x, w, NULL, out, /*pixels=*/36, /*inputs=*/4, /*outputs=*/4, /*packed=*/1, /*has_bias=*/0,
        /*low=*/-INFINITY, /*high=*/INFINITY);
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
    tinyc_pointwise_f32(x, w, b, out, /*pixels=*/1, /*inputs=*/4, /*outputs=*/3, /*packed=*/1, /*has_bias=*/1,
        /*low=*/-INFINITY, /*high=*/INFINITY);
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
