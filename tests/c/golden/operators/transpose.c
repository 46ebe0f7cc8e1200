/* The C of one transpose. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @transpose {
  input %x: f32[2,3,4]
  %y = transpose(%x) {perm = [2, 0, 1]} : f32[4,2,3]
  return %y
}
*/

TINYC_NOINLINE void net_transpose_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 4; ++i0) {
        out[i0 * 6] = x0[i0];
        out[1 + i0 * 6] = x0[4 + i0];
        out[2 + i0 * 6] = x0[8 + i0];
        out[3 + i0 * 6] = x0[12 + i0];
        out[4 + i0 * 6] = x0[16 + i0];
        out[5 + i0 * 6] = x0[20 + i0];
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 24);

    /* 0 transpose "y": 2x3x4 -> 4x2x3 */
    net_transpose_0(input, output);
    TINYC_TRACE(0, 0, output, 24);
    TINYC_END();
}
