/* The C of one reshape. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @reshape {
  input %x: f32[2,3]
  %y = reshape(%x) {shape = [3, 2]} : f32[3,2]
  return %y
}
*/

TINYC_NOINLINE void net_copy_0(const float *x0, float *out)
{
    out[0] = x0[0];
    out[1] = x0[1];
    out[2] = x0[2];
    out[3] = x0[3];
    out[4] = x0[4];
    out[5] = x0[5];
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 copy "y_copy": 3x2 -> 3x2 */
    net_copy_0(input, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
