/* The C of one not. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @not {
  input %x: bool[2,3]
  %y = not(%x) : bool[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_not_0(const uint8_t *x0, uint8_t *out)
{
    for (int i0 = 0; i0 < 6; ++i0) {
        out[i0] = !x0[i0];
    }
}

void net_run(void *arena, const uint8_t *input, uint8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 not "y": 2x3 -> 2x3 */
    net_not_0(input, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
