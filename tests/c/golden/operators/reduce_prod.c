/* The C of one reduce_prod. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @reduce_prod {
  input %x: f32[3,4]
  %y = reduce_prod(%x) {axes = [0]} : f32[1,4]
  return %y
}
*/

TINYC_NOINLINE void net_reduce_prod_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 4; ++i0) {
        float sum = 1.0f;
        for (int i1 = 0; i1 < 3; ++i1) {
            sum *= x0[i0 + i1 * 4];
        }
        out[i0] = sum;
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 12);

    /* 0 reduce_prod "y": 3x4 -> 4 */
    net_reduce_prod_0(input, output);
    TINYC_TRACE(0, 0, output, 4);
    TINYC_END();
}
