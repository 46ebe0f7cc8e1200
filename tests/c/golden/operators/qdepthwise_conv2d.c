/* The C of one qdepthwise_conv2d. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

// data: w = integers(i8[3,3,3], seed=1)
module @qdepthwise_conv2d {
  input %x: i8[1,4,5,3]
  %w = constant() {data = @w} : i8[3,3,3]
  %b = constant() {data = i32[3]<-100, 0, 100>} : i32[3]
  %m = constant() {data = i32[3]<1073741824, 1073754169, 1073766514>} : i32[3]
  %s = constant() {data = i32[3]<-7, -8, -7>} : i32[3]
  %y = qdepthwise_conv2d(%x, %w, %b, %m, %s) {pads = [1, 1, 1, 1], zero = 3, out_zero = -5} : i8[1,4,5,3]
  return %y
}
*/

TINYC_NOINLINE void net_qdepthwise3x3_0(const int8_t **rows, const int8_t *w, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *out)
{
    tinyc_qdepthwise3x3_i8(rows, w, bias, multiplier, shift, out, /*width=*/5, /*channels=*/3, /*out_width=*/5,
        /*left=*/1, /*fill=*/3, /*lean=*/0, /*zero=*/-5, /*low=*/-128, /*high=*/127, /*shifts=*/0, /*form=*/1);
}

void net_run(void *arena, const int8_t *input, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 60);

    /* 0 qdepthwise_conv2d "y": 4x5x3 -> 4x5x3, 3x3 stride 1 pads 1, 540 MACs */
    for (int y = 0; y < 4; ++y) {
        const int8_t *rows[3];
        tinyc_fill_rows_i8(rows, input, net_pads, y - 1, 3, 1, 4, 4, 15);
        net_qdepthwise3x3_0(rows, net_w, net_b, net_m, net_s, output + y * 15);
    }
    TINYC_TRACE(0, 0, output, 60);
    TINYC_END();
}

NET_WEIGHTS_ATTR const int8_t net_s[3] = {
    -7, -8, -7,
};

NET_WEIGHTS_ATTR const int8_t net_w[27] = {
    117, 95, 68, -68, -5, 35, -101, -106,
    12, 40, 50, 6, 5, 38, -83, 126,
    -79, 34, -71, 92, 57, -98, -54, 79,
    95, 117, 7,
};

NET_WEIGHTS_ATTR const int32_t net_b[3] = {
    -100, 0, 100,
};

NET_WEIGHTS_ATTR const int32_t net_m[3] = {
    1073741824, 1073754169, 1073766514,
};

/* what stands for rows and columns outside a tensor */
NET_WEIGHTS_ATTR const int8_t net_pads[15] = {
    3, 3, 3, 3, 3, 3, 3, 3,
    3, 3, 3, 3, 3, 3, 3,
};
