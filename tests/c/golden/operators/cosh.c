/* The C of one cosh. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @cosh {
  input %x: f32[1,3,5]
  %cosh = cosh(%x) : f32[1,3,5]
  return %cosh
}
*/

TINYC_NOINLINE void net_cosh_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 15; ++i0) {
        out[i0] = coshf(x0[i0]);
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 15);

    /* 0 cosh "cosh": 3x5 -> 3x5 */
    net_cosh_0(input, output);
    TINYC_TRACE(0, 0, output, 15);
    TINYC_END();
}
