/* The C of one scatter_add. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @scatter_add {
  input %x: f32[4,4]
  input %x_1: i32[1]
  input %x_2: f32[1,4]
  %constant = constant() {data = i32[1]<2>} : i32[1]
  %scatter_add = scatter_add(%x, %x_1, %x_2) : f32[4,4]
  return %scatter_add
}
*/

TINYC_NOINLINE void net_scatter_add_0(const float *x, const int32_t *indices, const float *updates, float *out)
{
    for (int i = 0; out != x && i < 16; ++i) {
        out[i] = x[i];
    }
    for (int k = 0; k < 1; ++k) {
        const int row = indices[k] < 0 ? 0 : indices[k] < 4 ? (int)indices[k] : 3;
        float *to = out + row * 4;
        const float *p = updates + k * 4;
        for (int i = 0; i < 4; ++i) {
            to[i] = to[i] + p[i];
        }
    }
}

void net_run(void *arena, const float *input_x, const int32_t *input_x_1, const float *input_x_2, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input_x, 16);
    TINYC_INPUT(1, input_x_1, 1);
    TINYC_INPUT(2, input_x_2, 4);

    /* 0 scatter_add "scatter_add": 4x4, 1, 4 -> 4x4 */
    net_scatter_add_0(input_x, input_x_1, input_x_2, output);
    TINYC_TRACE(0, 0, output, 16);
    TINYC_END();
}
