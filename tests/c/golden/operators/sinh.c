/* The C of one sinh. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @sinh {
  input %x: f32[1,3,5]
  %sinh = sinh(%x) : f32[1,3,5]
  return %sinh
}
*/

TINYC_NOINLINE void net_sinh_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 15; ++i0) {
        out[i0] = sinhf(x0[i0]);
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 15);

    /* 0 sinh "sinh": 3x5 -> 3x5 */
    net_sinh_0(input, output);
    TINYC_TRACE(0, 0, output, 15);
    TINYC_END();
}
