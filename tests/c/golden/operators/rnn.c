/* The C of one rnn. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @rnn {
  input %x: f32[4,1,1]
  %constant = constant() {data = f32[3,1]<-0.7998598, 0.0, -0.33600846>} : f32[3,1]
  %constant_1 = constant() {data = f32[3,3]<-0.0, -0.0, 1.0, -0.09961405, 0.0, -0.2314862, -0.54881, -1.4723177, -1.0>} : f32[3,3]
  %constant_2 = constant() {data = f32[3]<-0.45815173, 0.48144147, -0.27031407>} : f32[3]
  %rnn = rnn(%x, %constant, %constant_1, %constant_2, none) {functions = [tanh], alpha = [0.0], beta = [0.0], clip = 0.7} : f32[4,1,3]
  return %rnn
}
*/

TINYC_NOINLINE void net_rnn_0(const float *x, const float *w, const float *r, const float *b, float *state, float *out)
{
    tinyc_rnn_f32(x, w, r, b, NULL, state, /*carry=*/0, out, /*steps=*/4, /*batch=*/1, /*inputs=*/1, /*hidden=*/3,
        /*reverse=*/0, /*every=*/1, /*clip=*/0.7f, /*f=*/1, /*fa=*/0.0f, /*fb=*/0.0f);
}

void net_run(void *arena, const float *input, float *output)
{
    unsigned char *const mem = (unsigned char *)arena;
    float *const rnn_state = (float *)(void *)(mem + 0);
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 4);

    /* 0 rnn "rnn": 4x1x1 -> 4x1x3, 48 MACs */
    net_rnn_0(input, net_constant, net_constant_1, net_constant_2, rnn_state, output);
    TINYC_TRACE(0, 0, output, 12);
    TINYC_END();
}

NET_WEIGHTS_ATTR const float net_constant[3] = {
    -0.799859822f, 0.0f, -0.336008459f,
};

NET_WEIGHTS_ATTR const float net_constant_1[9] = {
    -0.0f, -0.0f, 1.0f, -0.0996140465f, 0.0f, -0.231486201f, -0.548810005f, -1.4723177f,
    -1.0f,
};

NET_WEIGHTS_ATTR const float net_constant_2[3] = {
    -0.458151728f, 0.481441468f, -0.270314068f,
};
