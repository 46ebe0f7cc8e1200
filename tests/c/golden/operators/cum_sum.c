/* The C of one cum_sum. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @cum_sum {
  input %x: f32[3,1,2,3]
  %cum_sum = cum_sum(%x) {axis = 2} : f32[3,1,2,3]
  return %cum_sum
}
*/

TINYC_NOINLINE void net_cum_sum_0(const float *x, float *out)
{
    tinyc_cum_sum_f32(x, out, /*outer=*/3, /*n=*/2, /*inner=*/3, /*exclusive=*/0, /*reverse=*/0);
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 18);

    /* 0 cum_sum "cum_sum": 3x1x2x3 -> 3x1x2x3 */
    net_cum_sum_0(input, output);
    TINYC_TRACE(0, 0, output, 18);
    TINYC_END();
}
