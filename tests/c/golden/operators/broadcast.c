/* The C of one broadcast. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @broadcast {
  input %x: f32[3,1]
  %y = broadcast(%x) {shape = [2, 3, 4]} : f32[2,3,4]
  return %y
}
*/

TINYC_NOINLINE void net_broadcast_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 2; ++i0) {
        for (int i1 = 0; i1 < 3; ++i1) {
            out[i0 * 12 + i1 * 4] = x0[i1];
            out[1 + i0 * 12 + i1 * 4] = x0[i1];
            out[2 + i0 * 12 + i1 * 4] = x0[i1];
            out[3 + i0 * 12 + i1 * 4] = x0[i1];
        }
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 3);

    /* 0 broadcast "y": 3x1 -> 2x3x4 */
    net_broadcast_0(input, output);
    TINYC_TRACE(0, 0, output, 24);
    TINYC_END();
}
