/* The C of one qdiv. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @qdiv {
  input %x: i8[2,3]
  input %z: i8[1,3]
  %y = qdiv(%x, %z) {x_zero = 3, y_zero = -4, factor = 5000000, places = 18, out_zero = 5} : i8[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_qdiv_0(const int8_t *x, const int8_t *y, int8_t *out)
{
    tinyc_qdiv_i8(x, y, out, /*count=*/2, /*n=*/3, /*repeat=*/1, /*x_zero=*/3, /*y_zero=*/-4, /*factor=*/5000000,
        /*places=*/18, /*zero=*/5, /*low=*/-128, /*high=*/127);
}

void net_run(void *arena, const int8_t *input_x, const int8_t *input_z, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_x, 6);
    TINYC_INPUT(1, input_z, 3);

    /* 0 qdiv "y": 2x3, 3 -> 2x3 */
    net_qdiv_0(input_x, input_z, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
