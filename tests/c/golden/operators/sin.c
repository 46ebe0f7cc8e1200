/* The C of one sin. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @sin {
  input %x: f32[1,3,5]
  %sin = sin(%x) : f32[1,3,5]
  return %sin
}
*/

TINYC_NOINLINE void net_sin_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 15; ++i0) {
        out[i0] = sinf(x0[i0]);
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 15);

    /* 0 sin "sin": 3x5 -> 3x5 */
    net_sin_0(input, output);
    TINYC_TRACE(0, 0, output, 15);
    TINYC_END();
}
