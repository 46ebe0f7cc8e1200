/* The C of one qsoftmax. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @qsoftmax {
  input %x: i8[2,3]
  %y = qsoftmax(%x) {multiplier = 1717986918, left = 22, diff_min = -496} : i8[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_qsoftmax_0(const int8_t *x, int8_t *out)
{
    tinyc_qsoftmax_i8(x, out, /*count=*/2, /*n=*/3, /*multiplier=*/1717986918, /*left=*/22, /*diff_min=*/-256,
        /*apart=*/1, /*to=*/1);
}

void net_run(void *arena, const int8_t *input, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 qsoftmax "y": 2x3 -> 2x3 */
    net_qsoftmax_0(input, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
