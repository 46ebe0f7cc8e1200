/* The C of one pow. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @pow {
  input %x: f32[2,3]
  input %z: f32[2,3]
  %y = pow(%x, %z) : f32[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_pow_0(const float *x0, const float *x1, float *out)
{
    for (int i0 = 0; i0 < 6; ++i0) {
        out[i0] = powf(x0[i0], x1[i0]);
    }
}

void net_run(void *arena, const float *input_x, const float *input_z, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_x, 6);
    TINYC_INPUT(1, input_z, 6);

    /* 0 pow "y": 2x3, 2x3 -> 2x3 */
    net_pow_0(input_x, input_z, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
