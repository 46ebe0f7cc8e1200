/* A small implementation of what generated code uses of ESP-NN: see esp_nn.h. */
#include "esp_nn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef ESP_NN_VECTORS
enum { VECTORS = 1 };
#else
enum { VECTORS = 0 };
#endif
#ifdef ESP_NN_GREEDY
enum { GREEDY = 1 };
#else
enum { GREEDY = 0 };
#endif

/* What a function that needs so many bytes of scratch memory asks for. */
static int wanted(int bytes)
{
    return GREEDY ? 1 << 30 : VECTORS ? bytes : 0;
}

struct scratch {
    unsigned char *memory;
};
static struct scratch conv_scratch, depthwise_scratch, softmax_scratch;

static void stop(const char *why)
{
    fprintf(stderr, "esp_nn: %s\n", why);
    exit(EXIT_FAILURE);
}

/* What a call of a function that has vectors on some chips begins with. */
static void begin(const void *x, const void *y)
{
    if (VECTORS && ((uintptr_t)x % 16 != 0 || (uintptr_t)y % 16 != 0)) {
        stop("memory is not aligned");
    }
}

/* Fills `bytes` of scratch memory, which must have been set for this call. */
static void scribble(struct scratch *scratch, int bytes)
{
    if (GREEDY) {
        stop("called without the scratch memory that it asked for");
    }
    if (VECTORS) {
        if (scratch->memory == NULL || (uintptr_t)scratch->memory % 16 != 0) {
            stop("scratch memory is not set, or not aligned");
        }
        memset(scratch->memory, 0xA5, (size_t)bytes);
    }
}

static int32_t limited(int64_t value, int32_t low, int32_t high)
{
    return (int32_t)(value < low ? low : value > high ? high : value);
}

/* 2 * x * mult / 2^32, rounded to the nearest. */
static int64_t high_multiply(int64_t x, int32_t mult)
{
    const int64_t product = x * mult;
    return (product + (product >= 0 ? (int64_t)1 << 30 : 1 - ((int64_t)1 << 30))) / ((int64_t)1 << 31);
}

/* x / 2^right, rounded to the nearest, ties away from zero. */
static int64_t divide(int64_t x, int right)
{
    const int64_t half = right > 0 ? (int64_t)1 << (right - 1) : 0;
    return x >= 0 ? (x + half) >> right : -((-x + half) >> right);
}

static int64_t requantise(int64_t x, int32_t mult, int32_t shift)
{
    return shift > 0 ? high_multiply(x * ((int64_t)1 << shift), mult) : divide(high_multiply(x, mult), -shift);
}

/* A convolution: output channel `o` sees the `inputs` channels from `first` on. */
struct conv {
    const data_dims_t *in, *filter, *out;
    data_2d_t stride, padding;
    act_params_t activation;
    int32_t in_offset, out_offset;
    const int8_t *x, *w;
    const int32_t *bias;
    int8_t *y;
    const quant_data_t *factors;
};

static int8_t one(const struct conv *c, int row, int column, int o, int first, int inputs, int filter_step,
                  const int8_t *w)
{
    int64_t sum = c->bias != NULL ? c->bias[o] : 0;
    for (int ky = 0; ky < c->filter->height; ++ky) {
        for (int kx = 0; kx < c->filter->width; ++kx) {
            const int r = row * c->stride.height - c->padding.height + ky;
            const int s = column * c->stride.width - c->padding.width + kx;
            if (r < 0 || r >= c->in->height || s < 0 || s >= c->in->width) {
                continue;
            }
            for (int k = 0; k < inputs; ++k) {
                const int x = c->x[(r * c->in->width + s) * c->in->channels + first + k];
                sum += (int64_t)(x + c->in_offset) * w[(ky * c->filter->width + kx) * filter_step + k];
            }
        }
    }
    const int64_t scaled = requantise(sum, c->factors->mult[o], c->factors->shift[o]) + c->out_offset;
    return (int8_t)limited(scaled, c->activation.min, c->activation.max);
}

void esp_nn_conv_s8_ansi(const data_dims_t *in, const int8_t *x, const data_dims_t *filter, const int8_t *w,
                         const int32_t *bias, const data_dims_t *out, int8_t *y, const conv_params_t *how,
                         const quant_data_t *factors)
{
    const struct conv c = {in,  filter, out,  how->stride, how->padding, how->activation, how->in_offset,
                           how->out_offset, x, w, bias, y, factors};
    const int inputs = filter->channels, size = filter->width * filter->height * inputs;
    const int each = out->channels / (in->channels / inputs);
    for (int row = 0; row < out->height; ++row) {
        for (int column = 0; column < out->width; ++column) {
            for (int o = 0; o < out->channels; ++o) {
                y[(row * out->width + column) * out->channels + o] =
                    one(&c, row, column, o, o / each * inputs, inputs, inputs, w + o * size);
            }
        }
    }
}

int esp_nn_get_conv_scratch_size(const data_dims_t *in, const data_dims_t *filter, const data_dims_t *out,
                                 const conv_params_t *how)
{
    (void)in, (void)filter, (void)how;
    return wanted(4 * out->channels);
}

void esp_nn_set_conv_scratch_buf(const void *scratch)
{
    conv_scratch.memory = (unsigned char *)(uintptr_t)scratch;
}

/* Like the library's, it knows of no groups, padding or strides that a 1x1 window would have to be moved by. */
void esp_nn_conv_s8(const data_dims_t *in, const int8_t *x, const data_dims_t *filter, const int8_t *w,
                    const int32_t *bias, const data_dims_t *out, int8_t *y, const conv_params_t *how,
                    const quant_data_t *factors)
{
    data_dims_t all = *filter;
    conv_params_t plain = *how;
    begin(x, y);
    begin(w, w);
    scribble(&conv_scratch, 4 * out->channels);
    if (filter->width == 1 && filter->height == 1) {
        all.channels = in->channels;
        plain.padding.width = plain.padding.height = 0;
    }
    esp_nn_conv_s8_ansi(in, x, &all, w, bias, out, y, &plain, factors);
    scribble(&conv_scratch, 4 * out->channels);
    conv_scratch.memory = NULL;
}

void esp_nn_depthwise_conv_s8_ansi(const data_dims_t *in, const int8_t *x, const data_dims_t *filter, const int8_t *w,
                                   const int32_t *bias, const data_dims_t *out, int8_t *y,
                                   const dw_conv_params_t *how, const quant_data_t *factors)
{
    const struct conv c = {in,  filter, out,  how->stride, how->padding, how->activation, how->in_offset,
                           how->out_offset, x, w, bias, y, factors};
    for (int row = 0; row < out->height; ++row) {
        for (int column = 0; column < out->width; ++column) {
            for (int o = 0; o < out->channels; ++o) {
                y[(row * out->width + column) * out->channels + o] =
                    one(&c, row, column, o, o / how->ch_mult, 1, out->channels, w + o);
            }
        }
    }
}

int esp_nn_get_depthwise_conv_scratch_size(const data_dims_t *in, const data_dims_t *filter, const data_dims_t *out,
                                           const dw_conv_params_t *how)
{
    (void)in, (void)filter, (void)out, (void)how;
    return wanted(0);
}

void esp_nn_set_depthwise_conv_scratch_buf(const void *scratch)
{
    depthwise_scratch.memory = (unsigned char *)(uintptr_t)scratch;
    scribble(&depthwise_scratch, 16);
}

void esp_nn_depthwise_conv_s8(const data_dims_t *in, const int8_t *x, const data_dims_t *filter, const int8_t *w,
                              const int32_t *bias, const data_dims_t *out, int8_t *y, const dw_conv_params_t *how,
                              const quant_data_t *factors)
{
    begin(x, y);
    begin(w, w);
    if (GREEDY) {
        stop("called without the scratch memory that it asked for");
    }
    esp_nn_depthwise_conv_s8_ansi(in, x, filter, w, bias, out, y, how, factors);
}

void esp_nn_fully_connected_per_ch_s8(const int8_t *x, int32_t in_offset, uint16_t inputs, const int8_t *w,
                                      int32_t filter_offset, const int32_t *bias, int8_t *y, uint16_t outputs,
                                      int32_t out_offset, const int32_t *shift, const int32_t *mult, int32_t low,
                                      int32_t high)
{
    if (inputs >= 16) {
        begin(x, w);
    }
    for (int o = 0; o < outputs; ++o) {
        int64_t sum = bias != NULL ? bias[o] : 0;
        for (int k = 0; k < inputs; ++k) {
            sum += (int64_t)(x[k] + in_offset) * (w[o * inputs + k] + filter_offset);
        }
        y[o] = (int8_t)limited(requantise(sum, mult[o], shift[o]) + out_offset, low, high);
    }
}

/* The largest element or, with `average`, the rounded mean of each window's elements inside the operand. */
static void pool(int average, const int8_t *x, int width, int height, int8_t *y, int out_width, int out_height,
                 int stride_width, int stride_height, int filter_width, int filter_height, int left, int top,
                 int32_t low, int32_t high, int channels)
{
    begin(x, y);
    for (int e = 0; e < out_height * out_width * channels; ++e) {
        const int row = e / channels / out_width * stride_height - top;
        const int column = e / channels % out_width * stride_width - left;
        int largest = INT8_MIN, sum = 0, count = 0;
        for (int k = 0; k < filter_height * filter_width; ++k) {
            const int r = row + k / filter_width, s = column + k % filter_width;
            if (r >= 0 && r < height && s >= 0 && s < width) {
                const int value = x[(r * width + s) * channels + e % channels];
                largest = value > largest ? value : largest;
                sum += value;
                ++count;
            }
        }
        const int mean = count == 0 ? 0 : (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
        y[e] = (int8_t)limited(average ? mean : largest, low, high);
    }
}

void esp_nn_max_pool_s8(const int8_t *x, uint16_t width, uint16_t height, int8_t *y, uint16_t out_width,
                        uint16_t out_height, uint16_t stride_width, uint16_t stride_height, uint16_t filter_width,
                        uint16_t filter_height, uint16_t left, uint16_t top, int32_t low, int32_t high,
                        uint16_t channels)
{
    pool(0, x, width, height, y, out_width, out_height, stride_width, stride_height, filter_width, filter_height, left,
         top, low, high, channels);
}

void esp_nn_avg_pool_s8(const int8_t *x, uint16_t width, uint16_t height, int8_t *y, uint16_t out_width,
                        uint16_t out_height, uint16_t stride_width, uint16_t stride_height, uint16_t filter_width,
                        uint16_t filter_height, uint16_t left, uint16_t top, int32_t low, int32_t high,
                        uint16_t channels)
{
    pool(1, x, width, height, y, out_width, out_height, stride_width, stride_height, filter_width, filter_height, left,
         top, low, high, channels);
}

void esp_nn_mean_nhwc_s8(const int8_t *x, int8_t *y, int32_t height, int32_t width, int32_t channels, int32_t in_zero,
                         int32_t out_zero, int32_t mult, int32_t shift)
{
    begin(x, x);
    for (int c = 0; c < channels; ++c) {
        int64_t sum = 0;
        for (int p = 0; p < height * width; ++p) {
            sum += x[p * channels + c] - in_zero;
        }
        y[c] = (int8_t)limited(requantise(sum, mult, shift) + out_zero, -128, 127);
    }
}

void esp_nn_add_elementwise_s8(const int8_t *a, const int8_t *b, int32_t a_offset, int32_t b_offset, int32_t a_mult,
                               int32_t b_mult, int32_t a_shift, int32_t b_shift, int32_t left_shift, int8_t *y,
                               int32_t out_offset, int32_t out_mult, int32_t out_shift, int32_t low, int32_t high,
                               int32_t size)
{
    begin(a, b);
    begin(y, y);
    for (int k = 0; k < size; ++k) {
        const int64_t unit = (int64_t)1 << left_shift;
        int64_t sum = divide(high_multiply((a[k] + a_offset) * unit, a_mult), -a_shift);
        sum += divide(high_multiply((b[k] + b_offset) * unit, b_mult), -b_shift);
        y[k] = (int8_t)limited(divide(high_multiply(sum, out_mult), -out_shift) + out_offset, low, high);
    }
}

void esp_nn_mul_broadcast_channel_s8(const int8_t *a, const int8_t *b, int32_t a_offset, int32_t b_offset, int8_t *y,
                                     int32_t out_offset, int32_t out_mult, int32_t out_shift, int32_t low,
                                     int32_t high, int32_t pixels, int32_t channels)
{
    begin(a, b);
    begin(y, y);
    for (int k = 0; k < pixels * channels; ++k) {
        const int64_t product = (int64_t)(a[k] + a_offset) * (b[k % channels] + b_offset);
        y[k] = (int8_t)limited(requantise(product, out_mult, out_shift) + out_offset, low, high);
    }
}

void esp_nn_mul_elementwise_s8(const int8_t *a, const int8_t *b, int32_t a_offset, int32_t b_offset, int8_t *y,
                               int32_t out_offset, int32_t out_mult, int32_t out_shift, int32_t low, int32_t high,
                               int32_t size)
{
    esp_nn_mul_broadcast_channel_s8(a, b, a_offset, b_offset, y, out_offset, out_mult, out_shift, low, high, 1, size);
}

/* x * 2^places, or rounded; saturated to int32 as TFLite's fixed point is. */
static int64_t saturated(int64_t x)
{
    return limited(x, INT32_MIN, INT32_MAX);
}

/* exp(x) in Q0.31 of x <= 0 in Q5.26: a polynomial around -1/8 for the rest in [-1/4, 0), and a factor for each bit of
 * the multiple of 1/4. */
static int64_t exponential(int64_t x)
{
    /* exp(-2^k) in Q0.31 for k from -2 to 4. */
    static const int32_t powers[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t middle = 1895147668; /* exp(-1/8) */
    const int64_t quarter = 1 << 24, rest = (x & (quarter - 1)) - quarter, multiple = rest - x;
    const int64_t t = rest * 32 + (1 << 28);
    const int64_t t2 = high_multiply(t, (int32_t)t), t3 = high_multiply(t2, (int32_t)t);
    const int64_t t4 = high_multiply(t2, (int32_t)t2);
    const int64_t cubic = high_multiply(divide(t4, 2) + t3, 715827883); /* a third */
    int64_t result = middle + high_multiply(t + divide(cubic + t2, 1), middle);
    for (int k = 0; k < 7; ++k) {
        if ((multiple >> (24 + k)) & 1) {
            result = high_multiply(result, powers[k]);
        }
    }
    return x == 0 ? INT32_MAX : result;
}

/* 1 / (1 + x) in Q0.31 of x in [0, 1) in Q0.31, by Newton's division. */
static int64_t reciprocal(int64_t x)
{
    const int64_t half = (x + INT32_MAX + 1) >> 1;
    int64_t guess = 1515870810 + high_multiply(half, -1010580540); /* 48/17 and 32/17 in Q2.29 */
    for (int k = 0; k < 3; ++k) {
        const int64_t error = (1 << 29) - high_multiply(half, (int32_t)guess);
        guess += saturated(high_multiply(guess, (int32_t)error) * 4);
    }
    return saturated(guess * 2);
}

void esp_nn_softmax_s8_ansi(const int8_t *x, int32_t height, int32_t width, int32_t mult, int32_t shift,
                            int32_t diff_min, int8_t *y)
{
    for (int row = 0; row < height; ++row, x += width, y += width) {
        int largest = INT8_MIN;
        int64_t sum = 0;
        for (int k = 0; k < width; ++k) {
            largest = x[k] > largest ? x[k] : largest;
        }
        for (int k = 0; k < width; ++k) {
            const int64_t difference = x[k] - largest;
            sum += difference >= diff_min
                       ? divide(exponential(high_multiply(difference * ((int64_t)1 << shift), mult)), 12)
                       : 0;
        }
        int headroom = 0;
        while (headroom < 32 && (sum << headroom) < ((int64_t)1 << 31)) {
            ++headroom;
        }
        const int64_t scale = reciprocal((sum << headroom) - ((int64_t)1 << 31));
        for (int k = 0; k < width; ++k) {
            const int64_t difference = x[k] - largest;
            int64_t result = -128;
            if (difference >= diff_min) {
                const int64_t raised = exponential(high_multiply(difference * ((int64_t)1 << shift), mult));
                result = divide(high_multiply(scale, (int32_t)raised), 35 - headroom) - 128;
            }
            y[k] = (int8_t)limited(result, -128, 127);
        }
    }
}

int32_t esp_nn_get_softmax_scratch_size(int32_t width, int32_t height)
{
    (void)height;
    return wanted(4 * width);
}

void esp_nn_set_softmax_scratch_buf(void *scratch)
{
    softmax_scratch.memory = (unsigned char *)scratch;
}

void esp_nn_softmax_s8(const int8_t *x, int32_t height, int32_t width, int32_t mult, int32_t shift, int32_t diff_min,
                       int8_t *y)
{
    begin(x, x);
    scribble(&softmax_scratch, 4 * width);
    esp_nn_softmax_s8_ansi(x, height, width, mult, shift, diff_min, y);
    scribble(&softmax_scratch, 4 * width);
    softmax_scratch.memory = NULL;
}
