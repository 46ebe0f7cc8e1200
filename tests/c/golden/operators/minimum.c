/* The C of one minimum. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @minimum {
  input %x: i8[2,3]
  input %z: i8[2,3]
  %y = minimum(%x, %z) : i8[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_minimum_0(const int8_t *x0, const int8_t *x1, int8_t *out)
{
    for (int i0 = 0; i0 < 6; ++i0) {
        out[i0] = tinyc_min_i8(x0[i0], x1[i0]);
    }
}

void net_run(void *arena, const int8_t *input_x, const int8_t *input_z, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_x, 6);
    TINYC_INPUT(1, input_z, 6);

    /* 0 minimum "y": 2x3, 2x3 -> 2x3 */
    net_minimum_0(input_x, input_z, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
