/* The C of one qadd. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @qadd {
  input %x: i8[2,3]
  input %z: i8[2,3]
  %y = qadd(%x, %z) {x_zero = 3, y_zero = -4, x_multiplier = 1073741824, y_multiplier = 536870912, x_shift = 0, y_shift = 0, out_multiplier = 512, out_shift = 0, left = 22, out_zero = 5, min = -100} : i8[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_qadd_whole_0(const int8_t *x, const int8_t *y, int n, int a, int b, int start, int places, int8_t *out)
{
    tinyc_qadd_whole_i8(x, y, out, n, a, b, start, places, /*low=*/-100, /*high=*/127);
}

void net_run(void *arena, const int8_t *input_x, const int8_t *input_z, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_x, 6);
    TINYC_INPUT(1, input_z, 6);

    /* 0 qadd "y": 2x3, 2x3 -> 2x3, limits -100 to 127 */
    net_qadd_whole_0(input_x, input_z, 6, 2097152, 1048576, 20971520, 22, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
