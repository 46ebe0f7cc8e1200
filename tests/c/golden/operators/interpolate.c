/* The C of one interpolate. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

// data: constant = integers(i16[33], low=-9, high=9, seed=0)
module @interpolate {
  input %x: i16[4,1,3]
  %constant = constant() {data = @constant} : i16[33]
  %interpolate = interpolate(%x, %constant) : i16[4,1,3]
  return %interpolate
}
*/

TINYC_NOINLINE void net_interpolate_0(const int16_t *x, const int16_t *table, int16_t *out)
{
    tinyc_interpolate_i16(x, table, out, /*n=*/12, /*places=*/11);
}

void net_run(void *arena, const int16_t *input, int16_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 12);

    /* 0 interpolate "interpolate": 4x1x3, 33 -> 4x1x3 */
    net_interpolate_0(input, net_constant, output);
    TINYC_TRACE(0, 0, output, 12);
    TINYC_END();
}

NET_WEIGHTS_ATTR const int16_t net_constant[33] = {
    -1, 1, 4, 1, 8, 4, -5, -5,
    -3, 4, -1, 1, 2, -9, -9, 0,
    -1, 1, -7, 8, 5, 0, -1, -5,
    7, 3, -4, 4, -7, 4, -9, 5,
    7,
};
