/* The C of one equal. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @equal {
  input %x: i64[2,3]
  input %z: i64[3]
  %y = equal(%x, %z) : bool[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_equal_0(const int64_t *x0, const int64_t *x1, uint8_t *out)
{
    for (int i0 = 0; i0 < 2; ++i0) {
        for (int i1 = 0; i1 < 3; ++i1) {
            out[i0 * 3 + i1] = x0[i0 * 3 + i1] == x1[i1];
        }
    }
}

void net_run(void *arena, const int64_t *input_x, const int64_t *input_z, uint8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_x, 6);
    TINYC_INPUT(1, input_z, 3);

    /* 0 equal "y": 2x3, 3 -> 2x3 */
    net_equal_0(input_x, input_z, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
