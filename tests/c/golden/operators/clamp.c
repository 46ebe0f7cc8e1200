/* The C of one clamp. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @clamp {
  input %x: f32[2,3]
  %y = clamp(%x) {min = -0.5, max = 6.0} : f32[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_clamp_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 6; ++i0) {
        out[i0] = tinyc_min_f32(tinyc_max_f32(x0[i0], -0.5f), 6.0f);
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 clamp "y": 2x3 -> 2x3, limits -0.5 to 6 */
    net_clamp_0(input, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
