/* ESP-NN's interface as far as generated code uses it, and a small implementation of it for tests (esp_nn.c).
 *
 * Written for these tests from what the functions are documented to compute. With
 *   ESP_NN_VECTORS  the functions ask for scratch memory, fill it with garbage, and stop the program when they get
 *                   memory that is not aligned to 16 bytes, as they would compute nonsense on chips with vectors;
 *   ESP_NN_GREEDY   they ask for more scratch memory than any program has planned, and must not be called.
 */
#ifndef TESTS_ESP_NN_H
#define TESTS_ESP_NN_H

#include <stdint.h>

typedef struct {
    int32_t width, height, channels, extra;
} data_dims_t;

typedef struct {
    int32_t width, height;
} data_2d_t;

typedef struct {
    int32_t min, max;
} act_params_t;

typedef struct {
    int32_t *shift, *mult;
} quant_data_t;

typedef struct {
    int32_t in_offset, out_offset;
    data_2d_t stride, padding, dilation;
    act_params_t activation;
} conv_params_t;

typedef struct {
    int32_t in_offset, out_offset, ch_mult;
    data_2d_t stride, padding, dilation;
    act_params_t activation;
} dw_conv_params_t;

void esp_nn_conv_s8(const data_dims_t *in, const int8_t *x, const data_dims_t *filter, const int8_t *w,
                    const int32_t *bias, const data_dims_t *out, int8_t *y, const conv_params_t *how,
                    const quant_data_t *factors);
void esp_nn_conv_s8_ansi(const data_dims_t *in, const int8_t *x, const data_dims_t *filter, const int8_t *w,
                         const int32_t *bias, const data_dims_t *out, int8_t *y, const conv_params_t *how,
                         const quant_data_t *factors);
int esp_nn_get_conv_scratch_size(const data_dims_t *in, const data_dims_t *filter, const data_dims_t *out,
                                 const conv_params_t *how);
void esp_nn_set_conv_scratch_buf(const void *scratch);

void esp_nn_depthwise_conv_s8(const data_dims_t *in, const int8_t *x, const data_dims_t *filter, const int8_t *w,
                              const int32_t *bias, const data_dims_t *out, int8_t *y, const dw_conv_params_t *how,
                              const quant_data_t *factors);
void esp_nn_depthwise_conv_s8_ansi(const data_dims_t *in, const int8_t *x, const data_dims_t *filter, const int8_t *w,
                                   const int32_t *bias, const data_dims_t *out, int8_t *y,
                                   const dw_conv_params_t *how, const quant_data_t *factors);
int esp_nn_get_depthwise_conv_scratch_size(const data_dims_t *in, const data_dims_t *filter, const data_dims_t *out,
                                           const dw_conv_params_t *how);
void esp_nn_set_depthwise_conv_scratch_buf(const void *scratch);

void esp_nn_fully_connected_per_ch_s8(const int8_t *x, int32_t in_offset, uint16_t inputs, const int8_t *w,
                                      int32_t filter_offset, const int32_t *bias, int8_t *y, uint16_t outputs,
                                      int32_t out_offset, const int32_t *shift, const int32_t *mult, int32_t low,
                                      int32_t high);

void esp_nn_max_pool_s8(const int8_t *x, uint16_t width, uint16_t height, int8_t *y, uint16_t out_width,
                        uint16_t out_height, uint16_t stride_width, uint16_t stride_height, uint16_t filter_width,
                        uint16_t filter_height, uint16_t left, uint16_t top, int32_t low, int32_t high,
                        uint16_t channels);
void esp_nn_avg_pool_s8(const int8_t *x, uint16_t width, uint16_t height, int8_t *y, uint16_t out_width,
                        uint16_t out_height, uint16_t stride_width, uint16_t stride_height, uint16_t filter_width,
                        uint16_t filter_height, uint16_t left, uint16_t top, int32_t low, int32_t high,
                        uint16_t channels);

void esp_nn_mean_nhwc_s8(const int8_t *x, int8_t *y, int32_t height, int32_t width, int32_t channels, int32_t in_zero,
                         int32_t out_zero, int32_t mult, int32_t shift);

void esp_nn_add_elementwise_s8(const int8_t *a, const int8_t *b, int32_t a_offset, int32_t b_offset, int32_t a_mult,
                               int32_t b_mult, int32_t a_shift, int32_t b_shift, int32_t left_shift, int8_t *y,
                               int32_t out_offset, int32_t out_mult, int32_t out_shift, int32_t low, int32_t high,
                               int32_t size);
void esp_nn_mul_elementwise_s8(const int8_t *a, const int8_t *b, int32_t a_offset, int32_t b_offset, int8_t *y,
                               int32_t out_offset, int32_t out_mult, int32_t out_shift, int32_t low, int32_t high,
                               int32_t size);
void esp_nn_mul_broadcast_channel_s8(const int8_t *a, const int8_t *b, int32_t a_offset, int32_t b_offset, int8_t *y,
                                     int32_t out_offset, int32_t out_mult, int32_t out_shift, int32_t low,
                                     int32_t high, int32_t pixels, int32_t channels);

void esp_nn_softmax_s8(const int8_t *x, int32_t height, int32_t width, int32_t mult, int32_t shift, int32_t diff_min,
                       int8_t *y);
void esp_nn_softmax_s8_ansi(const int8_t *x, int32_t height, int32_t width, int32_t mult, int32_t shift,
                            int32_t diff_min, int8_t *y);
int32_t esp_nn_get_softmax_scratch_size(int32_t width, int32_t height);
void esp_nn_set_softmax_scratch_buf(void *scratch);

#endif
