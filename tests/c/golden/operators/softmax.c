/* The C of one softmax. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @softmax {
  input %x: f32[2,3]
  %y = softmax(%x) : f32[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_softmax_0(const float *x, float *out)
{
    tinyc_softmax_f32(x, out, /*count=*/2, /*n=*/3);
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 softmax "y": 2x3 -> 2x3 */
    net_softmax_0(input, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
