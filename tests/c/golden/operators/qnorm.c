/* The C of one qnorm. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @qnorm {
  input %x: i8[1,2,4]
  %g = constant() {data = i16[1,1,4]<8191, -4000, 20, 1>} : i16[1,1,4]
  %b = constant() {data = i32[1,1,4]<0, 1000000, -5, 7>} : i32[1,1,4]
  %y = qnorm(%x, %g, %b) {axes = [2], zero = 3, epsilon = 900, centred = true, multiplier = 1518500250, shift = -20, out_zero = 5} : i8[1,2,4]
  return %y
}
*/

TINYC_NOINLINE void net_qnorm_0(const int8_t *x, const int16_t *g, const int32_t *b, int8_t *out)
{
    tinyc_qnorm_i8(x, g, b, out, /*count=*/2, /*n=*/4, /*inner=*/1, /*outer_step=*/0, /*step=*/1, /*inner_step=*/0,
        /*period=*/4, /*x_zero=*/3, /*epsilon=*/900, /*centred=*/1, /*left=*/21, /*right=*/15,
        /*multiplier=*/1518500250, /*shift=*/-20, /*zero=*/5, /*low=*/-128, /*high=*/127, /*form=*/1);
}

void net_run(void *arena, const int8_t *input, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 8);

    /* 0 qnorm "y": 2x4, 1x4, 1x4 -> 2x4 */
    net_qnorm_0(input, net_g, net_b, output);
    TINYC_TRACE(0, 0, output, 8);
    TINYC_END();
}

NET_WEIGHTS_ATTR const int16_t net_g[4] = {
    8191, -4000, 20, 1,
};

NET_WEIGHTS_ATTR const int32_t net_b[4] = {
    0, 1000000, -5, 7,
};
