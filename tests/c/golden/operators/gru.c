/* The C of one gru. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

// data: constant = eighths(f32[6,5], seed=0)
module @gru {
  input %x: f32[2,2,5]
  %constant = constant() {data = @constant} : f32[6,5]
  %constant_1 = constant() {data = f32[6,2]<-0.34584856, -1.0, 0.29163772, 0.03964171, 0.21956463, 1.7812091, 1.3667854, 0.5, -0.7906847, 2.446586, 0.41403538, 1.0>} : f32[6,2]
  %constant_2 = constant() {data = f32[6]<0.50240463, 1.0, 1.178184, -1.0, 0.5541811, 0.56539977>} : f32[6]
  %constant_3 = constant() {data = f32[2]<-1.0574996, 0.15012603>} : f32[2]
  %gru = gru(%x, %constant, %constant_1, %constant_2, none, %constant_3) {functions = [sigmoid, tanh], alpha = [0.0, 0.0], beta = [0.0, 0.0], clip = 0.7, after = true} : f32[2,2,2]
  return %gru
}
*/

TINYC_NOINLINE void net_gru_0(const float *x, const float *w, const float *r, const float *b, const float *rb, float *state, float *out)
{
    tinyc_gru_f32(x, w, r, b, NULL, rb, state, /*carry=*/0, out, /*steps=*/2, /*batch=*/2, /*inputs=*/5,
        /*hidden=*/2, /*reverse=*/0, /*every=*/1, /*packed=*/1, /*clip=*/0.7f, /*after=*/1, /*f=*/0, /*fa=*/0.0f,
        /*fb=*/0.0f, /*g=*/1, /*ga=*/0.0f, /*gb=*/0.0f);
}

void net_run(void *arena, const float *input, float *output)
{
    unsigned char *const mem = (unsigned char *)arena;
    float *const gru_state = (float *)(void *)(mem + 0);
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 20);

    /* 0 gru "gru": 2x2x5 -> 2x2x2, 168 MACs */
    net_gru_0(input, net_constant_packed, net_constant_1_packed, net_constant_2, net_constant_3, gru_state, output);
    TINYC_TRACE(0, 0, output, 8);
    TINYC_END();
}

/* gates of a unit beside each other */
NET_WEIGHTS_ATTR const float net_constant_packed[30] = {
    0.25f, -1.0f, 0.5f, 0.0f, 1.0f, 0.125f, 0.875f, -0.375f,
    -0.375f, -0.5f, 0.375f, 0.25f, -0.375f, 0.5f, 0.125f, 1.0f,
    0.25f, 0.375f, 0.375f, 0.625f, 0.0f, -0.375f, -0.625f, -0.875f,
    0.75f, -0.625f, -0.125f, 0.75f, 0.375f, 0.0f,
};

/* gates of a unit beside each other */
NET_WEIGHTS_ATTR const float net_constant_1_packed[12] = {
    -0.34584856f, 0.219564632f, -0.7906847f, -1.0f, 1.78120911f, 2.44658589f, 0.291637719f, 1.36678541f,
    0.41403538f, 0.0396417119f, 0.5f, 1.0f,
};

NET_WEIGHTS_ATTR const float net_constant_2[6] = {
    0.50240463f, 1.0f, 1.17818403f, -1.0f, 0.554181099f, 0.565399766f,
};

NET_WEIGHTS_ATTR const float net_constant_3[2] = {
    -1.05749965f, 0.150126025f,
};
