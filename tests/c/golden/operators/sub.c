/* The C of one sub. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @sub {
  input %x: u8[2,3]
  input %z: u8[2,3]
  %y = sub(%x, %z) : u8[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_sub_0(const uint8_t *x0, const uint8_t *x1, uint8_t *out)
{
    for (int i0 = 0; i0 < 6; ++i0) {
        out[i0] = (uint8_t)((uint32_t)x0[i0] - (uint32_t)x1[i0]);
    }
}

void net_run(void *arena, const uint8_t *input_x, const uint8_t *input_z, uint8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_x, 6);
    TINYC_INPUT(1, input_z, 6);

    /* 0 sub "y": 2x3, 2x3 -> 2x3 */
    net_sub_0(input_x, input_z, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
