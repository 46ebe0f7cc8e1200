/* The C of one atan. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @atan {
  input %x: f32[1,3,5]
  %atan = atan(%x) : f32[1,3,5]
  return %atan
}
*/

TINYC_NOINLINE void net_atan_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 15; ++i0) {
        out[i0] = atanf(x0[i0]);
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 15);

    /* 0 atan "atan": 3x5 -> 3x5 */
    net_atan_0(input, output);
    TINYC_TRACE(0, 0, output, 15);
    TINYC_END();
}
