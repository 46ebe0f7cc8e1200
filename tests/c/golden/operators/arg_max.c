/* The C of one arg_max. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @arg_max {
  input %x: f32[3,1,2,3]
  %arg_max = arg_max(%x) {axis = 2} : i32[3,1,1,3]
  return %arg_max
}
*/

TINYC_NOINLINE void net_arg_max_0(const float *x, int32_t *out)
{
    tinyc_arg_most_f32(x, out, /*outer=*/3, /*n=*/2, /*inner=*/3, /*least=*/0, /*last=*/0);
}

void net_run(void *arena, const float *input, int32_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 18);

    /* 0 arg_max "arg_max": 3x1x2x3 -> 3x1x1x3 */
    net_arg_max_0(input, output);
    TINYC_TRACE(0, 0, output, 9);
    TINYC_END();
}
