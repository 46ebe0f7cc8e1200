/* The C of one lstm. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

// data: constant_1 = eighths(f32[12,3], seed=0)
module @lstm {
  input %x: f32[4,1,1]
  %constant = constant() {data = f32[12,1]<-0.7998598, 0.50005376, 0.5, 0.5, -0.3093869, -0.7154853, -0.6664215, 0.5, 0.5243055, 1.0588174, -0.15759164, 1.0>} : f32[12,1]
  %constant_1 = constant() {data = @constant_1} : f32[12,3]
  %constant_2 = constant() {data = f32[12]<-0.45815173, 0.48144147, -0.27031407, -0.4226961, -0.72405773, 0.5, -0.67210627, -1.0641543, -0.28415972, -1.0, 0.87610626, 0.5618289>} : f32[12]
  %constant_3 = constant() {data = f32[1,3]<-0.2106742, 0.5, 0.59516287>} : f32[1,3]
  %lstm = lstm(%x, %constant, %constant_1, %constant_2, %constant_3, none, none) {functions = [tanh, affine, relu], alpha = [0.0, 1.0, 0.0], beta = [0.0, 0.0, 0.0]} : f32[4,1,3]
  return %lstm
}
*/

TINYC_NOINLINE void net_lstm_0(const float *x, const float *w, const float *r, const float *b, const float *h, float *state, float *out)
{
    tinyc_lstm_f32(x, w, r, b, h, NULL, NULL, state, /*carry=*/0, out, /*steps=*/4, /*batch=*/1, /*inputs=*/1,
        /*hidden=*/3, /*reverse=*/0, /*every=*/1, /*packed=*/1, /*cell_at=*/0, /*clip=*/INFINITY, /*coupled=*/0,
        /*f=*/1, /*fa=*/0.0f, /*fb=*/0.0f, /*g=*/4, /*ga=*/1.0f, /*gb=*/0.0f, /*k=*/2, /*ka=*/0.0f, /*kb=*/0.0f);
}

void net_run(void *arena, const float *input, float *output)
{
    unsigned char *const mem = (unsigned char *)arena;
    float *const lstm_state = (float *)(void *)(mem + 0);
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 4);

    /* 0 lstm "lstm": 4x1x1 -> 4x1x3, 192 MACs */
    net_lstm_0(input, net_constant_packed, net_constant_1_packed, net_constant_2, net_constant_3, lstm_state, output);
    TINYC_TRACE(0, 0, output, 12);
    TINYC_END();
}

/* gates of a unit beside each other */
NET_WEIGHTS_ATTR const float net_constant_packed[12] = {
    -0.799859822f, 0.5f, -0.666421473f, 1.05881739f, 0.500053763f, -0.309386909f, 0.5f, -0.157591641f,
    0.5f, -0.715485275f, 0.524305522f, 1.0f,
};

/* gates of a unit beside each other */
NET_WEIGHTS_ATTR const float net_constant_1_packed[36] = {
    0.25f, 0.75f, -0.625f, -0.875f, 0.0f, -1.0f, 0.375f, -0.125f,
    0.875f, 1.0f, 0.5f, 0.0f, -0.5f, -0.375f, 0.125f, 1.0f,
    -0.375f, 0.375f, -0.375f, 0.5f, 1.0f, 0.5f, 0.25f, 0.125f,
    0.375f, 0.25f, 0.125f, 0.75f, -0.375f, 0.625f, 0.375f, -0.875f,
    0.75f, -0.625f, 0.0f, 0.25f,
};

NET_WEIGHTS_ATTR const float net_constant_2[12] = {
    -0.458151728f, 0.481441468f, -0.270314068f, -0.422696114f, -0.724057734f, 0.5f, -0.672106266f, -1.06415427f,
    -0.28415972f, -1.0f, 0.876106262f, 0.561828911f,
};

NET_WEIGHTS_ATTR const float net_constant_3[3] = {
    -0.210674196f, 0.5f, 0.595162868f,
};
