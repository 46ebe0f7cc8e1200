/* The C of one avg_pool2d. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @avg_pool2d {
  input %x: f32[1,4,5,2]
  %y = avg_pool2d(%x) {kernel = [2, 3], strides = [2, 1], pads = [0, 1, 0, 1]} : f32[1,2,5,2]
  return %y
}
*/

TINYC_NOINLINE void net_avgpool2x3_0(const float **rows, float *out)
{
    tinyc_avg_pool2d_f32(rows, /*count=*/2, out, /*width=*/5, /*channels=*/2, /*out_width=*/5, /*kw=*/3,
        /*stride=*/1, /*dilation=*/1, /*left=*/1, /*divisor=*/0);
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 40);

    /* 0 avg_pool2d "y": 4x5x2 -> 2x5x2, 2x3 stride 2,1 pads 0,1,0,1 */
    for (int y = 0; y < 2; ++y) {
        const float *rows[2];
        tinyc_rows_f32(rows, input, y * 2, 2, 1, 4, 10);
        net_avgpool2x3_0(rows, output + y * 10);
    }
    TINYC_TRACE(0, 0, output, 20);
    TINYC_END();
}
