/* The C of one reduce_min. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @reduce_min {
  input %x: i8[3,4]
  %y = reduce_min(%x) {axes = [1]} : i8[3,1]
  return %y
}
*/

TINYC_NOINLINE void net_reduce_min_0(const int8_t *x0, int8_t *out)
{
    for (int i0 = 0; i0 < 3; ++i0) {
        int8_t sum = INT8_MAX;
        for (int i1 = 0; i1 < 4; ++i1) {
            sum = tinyc_reduce_min_i8(sum, x0[i0 * 4 + i1]);
        }
        out[i0] = sum;
    }
}

void net_run(void *arena, const int8_t *input, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 12);

    /* 0 reduce_min "y": 3x4 -> 3x1 */
    net_reduce_min_0(input, output);
    TINYC_TRACE(0, 0, output, 3);
    TINYC_END();
}
