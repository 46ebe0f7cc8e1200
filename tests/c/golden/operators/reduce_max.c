/* The C of one reduce_max. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @reduce_max {
  input %x: f32[3,4]
  %y = reduce_max(%x) {axes = [1]} : f32[3,1]
  return %y
}
*/

TINYC_NOINLINE void net_reduce_max_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 3; ++i0) {
        float sum = -INFINITY;
        for (int i1 = 0; i1 < 4; ++i1) {
            sum = tinyc_reduce_max_f32(sum, x0[i0 * 4 + i1]);
        }
        out[i0] = sum;
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 12);

    /* 0 reduce_max "y": 3x4 -> 3x1 */
    net_reduce_max_0(input, output);
    TINYC_TRACE(0, 0, output, 3);
    TINYC_END();
}
