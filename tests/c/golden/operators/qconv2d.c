/* The C of one qconv2d. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

// data: w = integers(i8[5,3,2,2], seed=1)
module @qconv2d {
  input %x: i8[1,5,6,2]
  %w = constant() {data = @w} : i8[5,3,2,2]
  %b = constant() {data = i32[5]<-100, 0, 100, 200, 300>} : i32[5]
  %m = constant() {data = i32[5]<1073741824, 1073754169, 1073766514, 1073778859, 1073791204>} : i32[5]
  %s = constant() {data = i32[5]<-7, -8, -7, -8, -7>} : i32[5]
  %y = qconv2d(%x, %w, %b, %m, %s) {strides = [2, 1], pads = [1, 0, 1, 1], zero = 3, out_zero = -5, min = -5} : i8[1,3,6,5]
  return %y
}
*/

TINYC_NOINLINE void net_qconv3x2_0(const int8_t **rows, const int8_t *pad, const int8_t *w, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int8_t *out)
{
    int8_t patches[24];
    tinyc_qconv2d_i8(rows, pad, w, bias, multiplier, shift, NULL, NULL, patches, out, /*paired=*/0, /*halves=*/0,
        /*patched=*/1, /*tile=*/4, /*before=*/0, /*after=*/2, /*width=*/6, /*channels=*/2, /*out_width=*/6,
        /*outputs=*/5, /*kh=*/3, /*kw=*/2, /*stride=*/1, /*dilation=*/1, /*left=*/0, /*groups=*/1, /*zero=*/-5,
        /*low=*/-5, /*high=*/127, /*shifts=*/0, /*form=*/1);
}

void net_run(void *arena, const int8_t *input, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 60);

    /* 0 qconv2d "y": 5x6x2 -> 3x6x5, 3x2 stride 2,1 pads 1,0,1,1, relu, 1080 MACs */
    for (int y = 0; y < 3; ++y) {
        const int8_t *rows[3];
        tinyc_fill_rows_i8(rows, input, net_pads, y * 2 - 1, 3, 1, 5, 5, 12);
        net_qconv3x2_0(rows, net_pads, net_w_packed, net_b, net_m, net_s, output + y * 30);
    }
    TINYC_TRACE(0, 0, output, 90);
    TINYC_END();
}

NET_WEIGHTS_ATTR const int8_t net_s[5] = {
    -7, -8, -7, -8, -7,
};

/* weights, four outputs interleaved */
NET_WEIGHTS_ATTR const int8_t net_w_packed[60] = {
    117, 5, 95, 30, 95, 38, 117, -57,
    68, -83, 7, -45, -68, 126, 125, 7,
    -5, -79, 32, -80, 35, 34, -108, 61,
    -101, -71, -71, 112, -106, 92, 95, 118,
    12, 57, 41, 40, 40, -98, 20, 119,
    50, -54, 42, 124, 6, 79, -11, -39,
    -115, -54, -99, 33, 68, 95, 69, -103,
    -41, 99, -40, -11,
};

NET_WEIGHTS_ATTR const int32_t net_b[5] = {
    -100, 0, 100, 200, 300,
};

NET_WEIGHTS_ATTR const int32_t net_m[5] = {
    1073741824, 1073754169, 1073766514, 1073778859, 1073791204,
};

/* what stands for rows and columns outside a tensor */
NET_WEIGHTS_ATTR const int8_t net_pads[12] = {
    3, 3, 3, 3, 3, 3, 3, 3,
    3, 3, 3, 3,
};
