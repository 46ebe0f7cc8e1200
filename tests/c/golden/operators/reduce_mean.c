/* The C of one reduce_mean. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @reduce_mean {
  input %x: f32[1,3,4,2]
  %y = reduce_mean(%x) {axes = [1, 2]} : f32[1,1,1,2]
  return %y
}
*/

TINYC_NOINLINE void net_reduce_mean_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 2; ++i0) {
        float sum = 0.0f;
        for (int i1 = 0; i1 < 12; ++i1) {
            sum += x0[i0 + i1 * 2];
        }
        out[i0] = sum / 12.0f;
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 24);

    /* 0 reduce_mean "y": 3x4x2 -> 1x1x2 */
    net_reduce_mean_0(input, output);
    TINYC_TRACE(0, 0, output, 2);
    TINYC_END();
}
