/* The C of one depthwise_conv2d. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

// data: w = eighths(f32[3,3,3], seed=1)
module @depthwise_conv2d {
  input %x: f32[1,4,5,3]
  %w = constant() {data = @w} : f32[3,3,3]
  %y = depthwise_conv2d(%x, %w, none) {pads = [1, 1, 1, 1], max = 6.0} : f32[1,4,5,3]
  return %y
}
*/

TINYC_NOINLINE void net_depthwise3x3_0(const float **rows, const float *pad, const float *w, float *out)
{
    tinyc_depthwise3x3_f32(rows, pad, w, NULL, out, /*width=*/5, /*channels=*/3, /*out_width=*/5, /*left=*/1,
        /*block=*/1, /*has_bias=*/0, /*low=*/-INFINITY, /*high=*/6.0f);
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 60);

    /* 0 depthwise_conv2d "y": 4x5x3 -> 4x5x3, 3x3 stride 1 pads 1, limits -inf to 6, 540 MACs */
    for (int y = 0; y < 4; ++y) {
        const float *rows[3];
        tinyc_fill_rows_f32(rows, input, net_zeros, y - 1, 3, 1, 4, 4, 15);
        net_depthwise3x3_0(rows, net_zeros, net_w, output + y * 15);
    }
    TINYC_TRACE(0, 0, output, 60);
    TINYC_END();
}

NET_WEIGHTS_ATTR const float net_w[27] = {
    0.25f, 0.0f, 1.0f, -0.375f, 0.5f, -0.5f, 0.375f, 0.0f,
    0.5f, 0.0f, 0.125f, -1.0f, 0.125f, -0.25f, -0.375f, 0.625f,
    0.875f, 0.625f, -1.0f, 0.875f, -0.875f, -0.875f, -0.875f, 0.75f,
    -0.5f, 0.25f, -1.0f,
};

/* what stands for rows and columns outside a tensor */
NET_WEIGHTS_ATTR const float net_zeros[15] = {0};
