/* The C of one max_pool2d. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @max_pool2d {
  input %x: f32[1,4,5,2]
  %y = max_pool2d(%x) {kernel = [3, 2], strides = [2, 2], pads = [1, 0, 0, 1]} : f32[1,2,3,2]
  return %y
}
*/

TINYC_NOINLINE void net_maxpool3x2_0(const float **rows, int count, float *out)
{
    tinyc_max_pool2d_f32(rows, count, out, /*width=*/5, /*channels=*/2, /*out_width=*/3, /*kw=*/2, /*stride=*/2,
        /*dilation=*/1, /*left=*/0);
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 40);

    /* 0 max_pool2d "y": 4x5x2 -> 2x3x2, 3x2 stride 2 pads 1,0,0,1 */
    for (int y = 0; y < 2; ++y) {
        const float *rows[3];
        const int count = tinyc_clip_rows_f32(rows, input, y * 2 - 1, 3, 1, 4, 4, 10);
        net_maxpool3x2_0(rows, count, output + y * 6);
    }
    TINYC_TRACE(0, 0, output, 12);
    TINYC_END();
}
