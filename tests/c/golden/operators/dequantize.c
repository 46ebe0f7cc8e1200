/* The C of one dequantize. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @dequantize {
  input %x: i8[2,3]
  %y = dequantize(%x) {scale = [0.5, 0.25], zero = [3, -4]} : f32[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_dequantize_0(const int8_t *x0, float *out)
{
    for (int i0 = 0; i0 < 3; ++i0) {
        out[i0] = (float)(int32_t)((uint32_t)(int32_t)x0[i0] - (uint32_t)3) * 0.5f;
    }
    for (int i0 = 0; i0 < 3; ++i0) {
        out[3 + i0] = (float)(int32_t)((uint32_t)(int32_t)x0[3 + i0] - (uint32_t)-4) * 0.25f;
    }
}

void net_run(void *arena, const int8_t *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 dequantize "y": 2x3 -> 2x3 */
    net_dequantize_0(input, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
