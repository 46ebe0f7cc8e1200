/* The C of one dense. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @dense {
  input %x: f32[2,3]
  %w = constant() {data = f32[5,3]<0.5, 1.0, -1.0, 0.25, 2.0, 0.0, 1.5, -0.5, 0.75, 3.0, 1.0, 2.0, -2.0, 0.125, 0.5>} : f32[5,3]
  %b = constant() {data = f32[5]<0.5, -0.5, 1.0, 0.0, 2.0>} : f32[5]
  %y = dense(%x, %w, %b) {min = 0.0} : f32[2,5]
  return %y
}
*/

TINYC_NOINLINE void net_dense_0(const float *x, const float *w, const float *b, float *out)
{
    tinyc_pointwise_f32(x, w, b, out, /*inputs=*/3, /*outputs=*/5, /*larger=*/1, /*smaller=*/0, /*tile=*/2,
        /*overlap=*/0, /*head=*/0, /*turn=*/1, /*rest=*/1, /*packed=*/1, /*has_bias=*/1, /*low=*/0.0f,
        /*high=*/INFINITY);
}

void net_run(void *arena, const float *input, float *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 dense "y": 2x3 -> 2x5, relu, 30 MACs */
    net_dense_0(input, net_w_packed, net_b, output);
    TINYC_TRACE(0, 0, output, 10);
    TINYC_END();
}

/* weights, four outputs interleaved */
NET_WEIGHTS_ATTR const float net_w_packed[15] = {
    0.5f, 0.25f, 1.5f, 3.0f, 1.0f, 2.0f, -0.5f, 1.0f,
    -1.0f, 0.0f, 0.75f, 2.0f, -2.0f, 0.125f, 0.5f,
};

NET_WEIGHTS_ATTR const float net_b[5] = {
    0.5f, -0.5f, 1.0f, 0.0f, 2.0f,
};
