/* The C of one maximum. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @maximum {
  input %x: f32[2,3]
  input %z: f32[2,3]
  %y = maximum(%x, %z) : f32[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_maximum_0(const float *x0, const float *x1, float *out)
{
    for (int i0 = 0; i0 < 6; ++i0) {
        out[i0] = tinyc_max_f32(x0[i0], x1[i0]);
    }
}

void net_run(void *arena, const float *input_x, const float *input_z, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_x, 6);
    TINYC_INPUT(1, input_z, 6);

    /* 0 maximum "y": 2x3, 2x3 -> 2x3 */
    net_maximum_0(input_x, input_z, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
