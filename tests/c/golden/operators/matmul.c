/* The C of one matmul. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @matmul {
  input %x: f32[2,3,4]
  input %z: f32[4,5]
  %y = matmul(%x, %z) : f32[2,3,5]
  return %y
}
*/

TINYC_NOINLINE void net_matmul_0(const float *x0, const float *x1, float *out)
{
    for (int i0 = 0; i0 < 6; ++i0) {
        for (int i1 = 0; i1 < 5; ++i1) {
            float sum = 0.0f;
            for (int i2 = 0; i2 < 4; ++i2) {
                sum += x0[i0 * 4 + i2] * x1[i1 + i2 * 5];
            }
            out[i0 * 5 + i1] = sum;
        }
    }
}

void net_run(void *arena, const float *input_x, const float *input_z, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_x, 24);
    TINYC_INPUT(1, input_z, 20);

    /* 0 matmul "y": 2x3x4 -> 2x3x5, 120 MACs */
    net_matmul_0(input_x, input_z, output);
    TINYC_TRACE(0, 0, output, 30);
    TINYC_END();
}
