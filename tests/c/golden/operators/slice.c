/* The C of one slice. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @slice {
  input %x: f32[4,5]
  %y = slice(%x) {start = [3, 1], size = [2, 2], step = [-2, 2]} : f32[2,2]
  return %y
}
*/

TINYC_NOINLINE void net_slice_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 2; ++i0) {
        out[i0 * 2] = x0[16 - i0 * 10];
        out[1 + i0 * 2] = x0[18 - i0 * 10];
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 20);

    /* 0 slice "y": 4x5 -> 2x2 */
    net_slice_0(input, output);
    TINYC_TRACE(0, 0, output, 4);
    TINYC_END();
}
