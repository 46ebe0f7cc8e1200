/* The C of one qmatmul. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @qmatmul {
  input %x: i8[1,2,2,3]
  input %z: i8[2,3,5]
  %y = qmatmul(%x, %z) {x_zero = 3, y_zero = -4, multiplier = 1518500250, shift = -8, out_zero = 5} : i8[1,2,2,5]
  return %y
}
*/

TINYC_NOINLINE void net_qmatmul_0(const int8_t *x, const int8_t *y, int8_t *out)
{
    for (int i0 = 0; i0 < 2; ++i0) {
        tinyc_qmatmul_i8(x + i0 * 6, y + i0 * 15, out + i0 * 10, /*rows=*/2, /*inner=*/3, /*columns=*/5,
                /*x_zero=*/3, /*y_zero=*/-4, /*multiplier=*/1518500250, /*shift=*/-8, /*zero=*/5,
                /*low=*/-128, /*high=*/127, /*form=*/1);
    }
}

void net_run(void *arena, const int8_t *input_x, const int8_t *input_z, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_x, 12);
    TINYC_INPUT(1, input_z, 30);

    /* 0 qmatmul "y": 2x2x3 -> 2x2x5, 60 MACs */
    net_qmatmul_0(input_x, input_z, output);
    TINYC_TRACE(0, 0, output, 20);
    TINYC_END();
}
