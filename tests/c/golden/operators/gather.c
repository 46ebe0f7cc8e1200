/* The C of one gather. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @gather {
  input %x: f32[2,4,3]
  input %i: i32[2]
  %y = gather(%x, %i) {axis = 1} : f32[2,2,3]
  return %y
}
*/

TINYC_NOINLINE void net_gather_0(const float *x0, const int32_t *x1, float *out)
{
    for (int i0 = 0; i0 < 2; ++i0) {
        for (int i1 = 0; i1 < 2; ++i1) {
            for (int i2 = 0; i2 < 3; ++i2) {
                out[i0 * 6 + i1 * 3 + i2] = x0[i0 * 12 + i2 + tinyc_entry(x1[i1], 4) * 3];
            }
        }
    }
}

void net_run(void *arena, const float *input_x, const int32_t *input_i, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_x, 24);
    TINYC_INPUT(1, input_i, 2);

    /* 0 gather "y": 2x4x3, 2 -> 2x2x3 */
    net_gather_0(input_x, input_i, output);
    TINYC_TRACE(0, 0, output, 12);
    TINYC_END();
}
