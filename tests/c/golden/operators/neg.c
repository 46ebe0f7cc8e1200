/* The C of one neg. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @neg {
  input %x: i16[2,3]
  %y = neg(%x) : i16[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_neg_0(const int16_t *x0, int16_t *out)
{
    for (int i0 = 0; i0 < 6; ++i0) {
        out[i0] = (int16_t)(0U - (uint32_t)x0[i0]);
    }
}

void net_run(void *arena, const int16_t *input, int16_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 neg "y": 2x3 -> 2x3 */
    net_neg_0(input, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
