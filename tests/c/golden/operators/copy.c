/* The C of one copy. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @copy {
  input %x: u8[2,3]
  %y = copy(%x) : u8[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_copy_0(const uint8_t *x0, uint8_t *out)
{
    out[0] = x0[0];
    out[1] = x0[1];
    out[2] = x0[2];
    out[3] = x0[3];
    out[4] = x0[4];
    out[5] = x0[5];
}

void net_run(void *arena, const uint8_t *input, uint8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 copy "y": 2x3 -> 2x3 */
    net_copy_0(input, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
