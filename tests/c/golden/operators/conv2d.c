/* The C of one conv2d. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

// data: w = eighths(f32[5,3,2,2], seed=1)
module @conv2d {
  input %x: f32[1,5,6,2]
  %w = constant() {data = @w} : f32[5,3,2,2]
  %b = constant() {data = f32[5]<0.5, -0.5, 1.0, 0.0, 2.0>} : f32[5]
  %y = conv2d(%x, %w, %b) {strides = [2, 1], pads = [1, 0, 1, 1], min = 0.0} : f32[1,3,6,5]
  return %y
}
*/

TINYC_NOINLINE void net_conv3x2_0(const float **rows, const float *pad, const float *w, const float *b, float *out)
{
    tinyc_conv2d_f32(rows, pad, w, b, out, /*width=*/6, /*channels=*/2, /*out_width=*/6, /*outputs=*/5, /*kh=*/3,
        /*kw=*/2, /*stride=*/1, /*dilation=*/1, /*left=*/0, /*groups=*/1, /*before=*/0, /*tile=*/1, /*overlap=*/0,
        /*larger=*/5, /*smaller=*/0, /*turn=*/1, /*packed=*/1, /*has_bias=*/1, /*low=*/0.0f, /*high=*/INFINITY);
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 60);

    /* 0 conv2d "y": 5x6x2 -> 3x6x5, 3x2 stride 2,1 pads 1,0,1,1, relu, 1080 MACs */
    for (int y = 0; y < 3; ++y) {
        const float *rows[3];
        tinyc_fill_rows_f32(rows, input, net_zeros, y * 2 - 1, 3, 1, 5, 5, 12);
        net_conv3x2_0(rows, net_zeros, net_w_packed, net_b, output + y * 30);
    }
    TINYC_TRACE(0, 0, output, 90);
    TINYC_END();
}

/* weights, four outputs interleaved */
NET_WEIGHTS_ATTR const float net_w_packed[60] = {
    0.25f, 0.125f, -0.5f, -0.875f, 0.0f, -0.25f, 0.25f, -0.875f,
    1.0f, -0.375f, -1.0f, 0.0f, -0.375f, 0.625f, -0.25f, -0.625f,
    0.5f, 0.875f, 0.625f, 0.375f, -0.5f, 0.625f, -0.375f, 0.25f,
    0.375f, -1.0f, 0.625f, -0.75f, 0.0f, 0.875f, -0.625f, -1.0f,
    0.5f, -0.875f, -0.125f, 0.375f, 0.0f, -0.875f, 0.875f, 0.125f,
    0.125f, -0.875f, 0.125f, 0.25f, -1.0f, 0.75f, 0.625f, 0.25f,
    -0.125f, 0.5f, -0.625f, -0.375f, 0.875f, 0.375f, -0.125f, 0.625f,
    -0.75f, -0.5f, 0.0f, 0.375f,
};

NET_WEIGHTS_ATTR const float net_b[5] = {
    0.5f, -0.5f, 1.0f, 0.0f, 2.0f,
};

/* what stands for rows and columns outside a tensor */
NET_WEIGHTS_ATTR const float net_zeros[12] = {0};
