/* The C of one top_k. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @top_k {
  input %x: f32[3,1,2,3]
  %top_k = top_k(%x) {axis = 2, count = 2} : i32[3,1,2,3]
  return %top_k
}
*/

TINYC_NOINLINE void net_top_k_0(const float *x, int32_t *out)
{
    tinyc_top_k_f32(x, out, /*outer=*/3, /*n=*/2, /*inner=*/3, /*count=*/2, /*least=*/0);
}

void net_run(void *arena, const float *input, int32_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 18);

    /* 0 top_k "top_k": 3x1x2x3 -> 3x1x2x3 */
    net_top_k_0(input, output);
    TINYC_TRACE(0, 0, output, 18);
    TINYC_END();
}
