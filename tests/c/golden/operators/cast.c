/* The C of one cast. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @cast {
  input %x: f32[2,3]
  %y = cast(%x) {to = i8} : i8[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_cast_0(const float *x0, int8_t *out)
{
    for (int i0 = 0; i0 < 6; ++i0) {
        out[i0] = tinyc_to_i8(x0[i0]);
    }
}

void net_run(void *arena, const float *input, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 cast "y": 2x3 -> 2x3 */
    net_cast_0(input, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
