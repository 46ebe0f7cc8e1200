/* The C of one qadd. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @qadd {
  input %x: i8[2,3]
  input %z: i8[2,3]
  %y = qadd(%x, %z) {x_zero = 3, y_zero = -4, x_multiplier = 1073741824, y_multiplier = 1518500250, x_shift = 0, y_shift = -1, out_multiplier = 1073741824, out_shift = -19, left = 20, out_zero = 5, min = -100} : i8[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_qadd_0(const int8_t *x, const int8_t *y, int8_t *out)
{
    tinyc_qadd_i8(x, y, out, /*n=*/6, /*unit=*/1048576, /*x_zero=*/3, /*x_multiplier=*/1073741824, /*x_shift=*/0,
        /*y_zero=*/-4, /*y_multiplier=*/1518500250, /*y_shift=*/-1, /*multiplier=*/1073741824, /*shift=*/-19,
        /*zero=*/5, /*low=*/-100, /*high=*/127);
}

void net_run(void *arena, const int8_t *input_x, const int8_t *input_z, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_x, 6);
    TINYC_INPUT(1, input_z, 6);

    /* 0 qadd "y": 2x3, 2x3 -> 2x3, limits -100 to 127 */
    net_qadd_0(input_x, input_z, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
