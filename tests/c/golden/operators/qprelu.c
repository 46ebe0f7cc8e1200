/* The C of one qprelu. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @qprelu {
  input %x: i8[1,2,3]
  %b = constant() {data = i16[3]<8191, -4000, 20>} : i16[3]
  %y = qprelu(%x, %b) {zero = 3, above = 32767, multiplier = 65540, shift = 0, out_zero = 5} : i8[1,2,3]
  return %y
}
*/

TINYC_NOINLINE void net_qprelu_0(const int8_t *x, const int16_t *below, int8_t *out)
{
    tinyc_qprelu_i8(x, below, out, /*count=*/2, /*n=*/3, /*x_zero=*/3, /*above=*/32767, /*multiplier=*/262160,
        /*shift=*/0, /*zero=*/5, /*low=*/-128, /*high=*/127, /*form=*/2);
}

void net_run(void *arena, const int8_t *input, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 qprelu "y": 2x3, 3 -> 2x3 */
    net_qprelu_0(input, net_b, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}

NET_WEIGHTS_ATTR const int16_t net_b[3] = {
    8191, -4000, 20,
};
