/* The C of one reduce_sum. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @reduce_sum {
  input %x: f32[2,3,4]
  %y = reduce_sum(%x) {axes = [0, 2]} : f32[1,3,1]
  return %y
}
*/

TINYC_NOINLINE void net_reduce_sum_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 3; ++i0) {
        float sum = 0.0f;
        for (int i1 = 0; i1 < 2; ++i1) {
            for (int i2 = 0; i2 < 4; ++i2) {
                sum += x0[i0 * 4 + i1 * 12 + i2];
            }
        }
        out[i0] = sum;
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 24);

    /* 0 reduce_sum "y": 2x3x4 -> 3x1 */
    net_reduce_sum_0(input, output);
    TINYC_TRACE(0, 0, output, 3);
    TINYC_END();
}
