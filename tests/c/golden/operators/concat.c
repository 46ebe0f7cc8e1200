/* The C of one concat. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @concat {
  input %x: f32[2,3]
  input %z: f32[2,1]
  %y = concat(%x, %z) {axis = 1} : f32[2,4]
  return %y
}
*/

TINYC_NOINLINE void net_concat_0(const float *x0, const float *x1, float *out)
{
    for (int i0 = 0; i0 < 2; ++i0) {
        out[i0 * 4] = x0[i0 * 3];
        out[1 + i0 * 4] = x0[1 + i0 * 3];
        out[2 + i0 * 4] = x0[2 + i0 * 3];
    }
    out[3] = x1[0];
    out[7] = x1[1];
}

void net_run(void *arena, const float *input_x, const float *input_z, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_x, 6);
    TINYC_INPUT(1, input_z, 2);

    /* 0 concat "y": 2x3, 2x1 -> 2x4 */
    net_concat_0(input_x, input_z, output);
    TINYC_TRACE(0, 0, output, 8);
    TINYC_END();
}
