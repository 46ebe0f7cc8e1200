/* The C of one quantize. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @quantize {
  input %x: f32[2,3]
  %y = quantize(%x) {scale = 0.05, zero = 3} : i8[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_quantize_0(const float *x, int8_t *out)
{
    for (int i = 0; i < 6; ++i) {
        out[i] = (int8_t)tinyc_quantize_bits(tinyc_float_bits(x[i]), /*scale=*/0x3d4ccccdU,
        /*reciprocal=*/0x4fffffedU, /*zero=*/3, /*low=*/-128, /*high=*/127);
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
