/* The C of one qsum. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @qsum {
  input %x: i8[2,4,3]
  %y = qsum(%x) {axes = [1], zero = 3, multiplier = 1518500250, shift = -4, out_zero = 5} : i8[2,1,3]
  return %y
}
*/

TINYC_NOINLINE void net_qsum_0(const int8_t *x, int8_t *out)
{
    tinyc_qmean_i8(x, out, /*count=*/2, /*pixels=*/4, /*channels=*/3, /*x_zero=*/3, /*multiplier=*/1518500250,
        /*shift=*/-4, /*zero=*/5, /*low=*/-128, /*high=*/127, /*form=*/1);
}

void net_run(void *arena, const int8_t *input, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 24);

    /* 0 qsum "y": 2x4x3 -> 2x1x3 */
    net_qsum_0(input, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
