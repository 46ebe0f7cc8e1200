/* The C of one qmean. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @qmean {
  input %x: i8[1,3,4,2]
  %y = qmean(%x) {zero = 3, multiplier = 1431655765, shift = -3, out_zero = 5} : i8[1,1,1,2]
  return %y
}
*/

TINYC_NOINLINE void net_qmean_0(const int8_t *x, int8_t *out)
{
    tinyc_qmean_i8(x, out, /*count=*/1, /*pixels=*/12, /*channels=*/2, /*x_zero=*/3, /*multiplier=*/1431655765,
        /*shift=*/-3, /*zero=*/5, /*low=*/-128, /*high=*/127, /*form=*/1);
}

void net_run(void *arena, const int8_t *input, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 24);

    /* 0 qmean "y": 3x4x2 -> 1x1x2 */
    net_qmean_0(input, output);
    TINYC_TRACE(0, 0, output, 2);
    TINYC_END();
}
