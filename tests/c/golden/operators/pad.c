/* The C of one pad. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @pad {
  input %x: f32[2,3]
  %y = pad(%x) {before = [1, 0], after = [0, 2], between = [0, 1], value = 0.5} : f32[3,7]
  return %y
}
*/

TINYC_NOINLINE void net_pad_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 21; ++i0) {
        out[i0] = 0.5f;
    }
    for (int i0 = 0; i0 < 2; ++i0) {
        out[7 + i0 * 7] = x0[i0 * 3];
        out[9 + i0 * 7] = x0[1 + i0 * 3];
        out[11 + i0 * 7] = x0[2 + i0 * 3];
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 pad "y": 2x3 -> 3x7 */
    net_pad_0(input, output);
    TINYC_TRACE(0, 0, output, 21);
    TINYC_END();
}
