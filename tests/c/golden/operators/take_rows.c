/* The C of one take_rows. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @take_rows {
  input %x: bool[1,1,3]
  %take_rows = take_rows(%x) {count = 2, pad = 2, times = 3} : bool[1,2,3]
  return %take_rows
}
*/

TINYC_NOINLINE void net_take_rows_0(const uint8_t *x0, uint8_t *out)
{
    out[0] = x0[0];
    out[1] = x0[1];
    out[2] = x0[2];
}

void net_run(void *arena, const uint8_t *input, uint8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 3);

    /* 0 take_rows "take_rows": 1x3 -> 2x3 */
    for (int y = 0; y < 2; ++y) {
        const uint8_t *rows[1];
        for (int k = 0; k < 1; ++k) {
            const int at = y - 2;
            const int row = at < 0 ? 0 : at < 3 ? at / 3 : 0;
            rows[k] = input + row * 3;
        }
        net_take_rows_0(rows[0], output + y * 3);
    }
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
