/* The C of one where. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @where {
  input %c: bool[2,1]
  input %x: f32[2,3]
  input %z: f32[3]
  %y = where(%c, %x, %z) : f32[2,3]
  return %y
}
*/

TINYC_NOINLINE void net_where_0(const uint8_t *x0, const float *x1, const float *x2, float *out)
{
    for (int i0 = 0; i0 < 2; ++i0) {
        for (int i1 = 0; i1 < 3; ++i1) {
            out[i0 * 3 + i1] = x0[i0] ? x1[i0 * 3 + i1] : x2[i1];
        }
    }
}

void net_run(void *arena, const uint8_t *input_c, const float *input_x, const float *input_z, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_c, 2);
    TINYC_INPUT(1, input_x, 6);
    TINYC_INPUT(2, input_z, 3);

    /* 0 where "y": 2x1, 2x3, 3 -> 2x3 */
    net_where_0(input_c, input_x, input_z, output);
    TINYC_TRACE(0, 0, output, 6);
    TINYC_END();
}
