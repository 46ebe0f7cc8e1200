/* The C of one quantize. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @quantize {
  input %x: f32[2,3]
  %y = quantize(%x) {scale = 0.05, zero = 3} : i8[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_quantize_0(const float *x0, int8_t *out)
{
    for (int i0 = 0; i0 < 6; ++i0) {
        out[i0] = tinyc_to_i8(tinyc_min_f32(tinyc_max_f32(rintf(x0[i0] / 0.05f) + 3.0f, -128.0f), 127.0f));
    }
}

void net_run(void *arena, const float *input, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 quantize "y": 2x3 -> 2x3 */
    net_quantize_0(input, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
