/* The C of one qcum_sum. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @qcum_sum {
  input %x: i8[3,1,2,3]
  %qcum_sum = qcum_sum(%x) {axis = 2, zero = 0, multiplier = 1389339028, shift = 8, out_zero = 32767, min = -32768, max = 32767, to = i16} : i16[3,1,2,3]
  return %qcum_sum
}
*/

TINYC_NOINLINE void net_qcum_sum_0(const int8_t *x, int16_t *out)
{
    tinyc_wcum_sum_i8(x, out, /*outer=*/3, /*n=*/2, /*inner=*/3, /*exclusive=*/0, /*reverse=*/0, /*x_zero=*/0,
        /*multiplier=*/1389339028, /*shift=*/8, /*zero=*/32767, /*low=*/-32768, /*high=*/32767, /*form=*/0,
        /*to=*/2);
}

void net_run(void *arena, const int8_t *input, int16_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 18);

    /* 0 qcum_sum "qcum_sum": 3x1x2x3 -> 3x1x2x3 */
    net_qcum_sum_0(input, output);
    TINYC_TRACE(0, 0, output, 18);
    TINYC_END();
}
