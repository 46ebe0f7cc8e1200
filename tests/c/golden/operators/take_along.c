/* The C of one take_along. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @take_along {
  input %x: f32[3,1,2,3]
  input %x_1: i16[3,1,4,3]
  %take_along = take_along(%x, %x_1) {axis = 2} : f32[3,1,4,3]
  return %take_along
}
*/

TINYC_NOINLINE void net_take_along_0(const float *x0, const int16_t *x1, float *out)
{
    for (int i0 = 0; i0 < 3; ++i0) {
        for (int i1 = 0; i1 < 4; ++i1) {
            for (int i2 = 0; i2 < 3; ++i2) {
                out[i0 * 12 + i1 * 3 + i2] = x0[i0 * 6 + i2 + tinyc_entry(x1[i0 * 12 + i1 * 3 + i2], 2) * 3];
            }
        }
    }
}

void net_run(void *arena, const float *input_x, const int16_t *input_x_1, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_x, 18);
    TINYC_INPUT(1, input_x_1, 36);

    /* 0 take_along "take_along": 3x1x2x3, 3x1x4x3 -> 3x1x4x3 */
    net_take_along_0(input_x, input_x_1, output);
    TINYC_TRACE(0, 0, output, 36);
    TINYC_END();
}
