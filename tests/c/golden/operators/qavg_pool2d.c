/* The C of one qavg_pool2d. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @qavg_pool2d {
  input %x: i8[1,4,5,2]
  %y = qavg_pool2d(%x) {kernel = [2, 3], strides = [2, 1], pads = [0, 1, 0, 1], max = 100} : i8[1,2,5,2]
  return %y
}
*/

TINYC_NOINLINE void net_qavgpool2x3_0(const int8_t **rows, int8_t *out)
{
    tinyc_qavg_pool2d_i8(rows, /*count=*/2, out, /*width=*/5, /*channels=*/2, /*out_width=*/5, /*kw=*/3,
        /*stride=*/1, /*dilation=*/1, /*left=*/1, /*places=*/-1, /*low=*/-128, /*high=*/100);
}

void net_run(void *arena, const int8_t *input, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 40);

    /* 0 qavg_pool2d "y": 4x5x2 -> 2x5x2, 2x3 stride 2,1 pads 0,1,0,1, limits -128 to 100 */
    for (int y = 0; y < 2; ++y) {
        const int8_t *rows[2];
        tinyc_rows_i8(rows, input, y * 2, 2, 1, 4, 10);
        net_qavgpool2x3_0(rows, output + y * 10);
    }
    TINYC_TRACE(0, 0, output, 20);
    TINYC_END();
}
