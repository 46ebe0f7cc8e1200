/* The C of one requantise. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @requantise {
  input %x: i16[4,1,3]
  %requantise = requantise(%x) {zero = 6987, multiplier = 1611700091, shift = -7, out_zero = 127} : i8[4,1,3]
  return %requantise
}
*/

TINYC_NOINLINE void net_requantise_0(const int16_t *x, int8_t *out)
{
    tinyc_wrequantise_i16(x, out, /*n=*/12, /*x_zero=*/6987, /*multiplier=*/1611700091, /*shift=*/-7, /*zero=*/127,
        /*low=*/-128, /*high=*/127, /*form=*/0, /*to=*/1);
}

void net_run(void *arena, const int16_t *input, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 12);

    /* 0 requantise "requantise": 4x1x3 -> 4x1x3 */
    net_requantise_0(input, output);
    TINYC_TRACE(0, 0, output, 12);
    TINYC_END();
}
