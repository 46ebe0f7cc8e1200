/* The C of one add. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @add {
  input %x: f32[2,3,5]
  input %z: f32[3,1]
  %y = add(%x, %z) : f32[2,3,5]
  return %y
}
*/

TINYC_NOINLINE void net_add_0(const float *x0, const float *x1, float *out)
{
    for (int i0 = 0; i0 < 2; ++i0) {
        for (int i1 = 0; i1 < 3; ++i1) {
            for (int i2 = 0; i2 < 5; ++i2) {
                out[i0 * 15 + i1 * 5 + i2] = x0[i0 * 15 + i1 * 5 + i2] + x1[i1];
            }
        }
    }
}

void net_run(void *arena, const float *input_x, const float *input_z, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_x, 30);
    TINYC_INPUT(1, input_z, 3);

    /* 0 add "y": 2x3x5, 3x1 -> 2x3x5 */
    net_add_0(input_x, input_z, output);
    TINYC_TRACE(0, 0, output, 30);
    TINYC_END();
}
