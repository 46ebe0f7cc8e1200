/* The C of one abs. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @abs {
  input %x: f32[2,3]
  %y = abs(%x) : f32[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_abs_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 6; ++i0) {
        out[i0] = fabsf(x0[i0]);
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 abs "y": 2x3 -> 2x3 */
    net_abs_0(input, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
