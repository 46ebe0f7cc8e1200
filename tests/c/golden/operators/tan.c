/* The C of one tan. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @tan {
  input %x: f32[1,3,5]
  %tan = tan(%x) : f32[1,3,5]
  return %tan
}
*/

TINYC_NOINLINE void net_tan_0(const float *x0, float *out)
{
    for (int i0 = 0; i0 < 15; ++i0) {
        out[i0] = tanf(x0[i0]);
    }
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 15);

    /* 0 tan "tan": 3x5 -> 3x5 */
    net_tan_0(input, output);
    TINYC_TRACE(0, 0, output, 15);
    TINYC_END();
}
