/* The C of one qdense. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @qdense {
  input %x: i8[2,3]
  %w = constant() {data = i8[5,3]<5, 1, -1, 25, 2, 0, 15, -5, 75, 127, 1, 2, -128, 12, 5>} : i8[5,3]
  %b = constant() {data = i32[5]<-100, 0, 100, 200, 300>} : i32[5]
  %m = constant() {data = i32[5]<1073741824, 1073754169, 1073766514, 1073778859, 1073791204>} : i32[5]
  %s = constant() {data = i32[5]<-7, -8, -7, -8, -7>} : i32[5]
  %y = qdense(%x, %w, %b, %m, %s) {out_zero = -5, max = 100} : i8[2,5]
  return %y
}
*/

TINYC_NOINLINE void net_qpointwise_0(const int8_t *x, const int8_t *w, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int quads, int outputs, int zero, int low, int high, int8_t *out)
{
    tinyc_qpointwise_i8(x, w, bias, multiplier, shift, NULL, NULL, out, /*paired=*/0, /*halves=*/0, /*tiles=*/0,
        /*tile=*/4, /*spare=*/2, /*turn=*/4, quads, /*extra=*/3, outputs, /*rest=*/1, zero, low, high, /*shifts=*/0,
        /*form=*/1);
}

void net_run(void *arena, const int8_t *input, int8_t *output)
{
    (void)arena;
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 6);

    /* 0 qdense "y": 2x3 -> 2x5, limits -128 to 100, 30 MACs */
    net_qpointwise_0(input, net_w_packed, net_b, net_m, net_s, 0, 5, -5, -128, 100, output);
    TINYC_TRACE(0, 0, output, 10);
    TINYC_END();
}

NET_WEIGHTS_ATTR const int8_t net_s[5] = {
    -7, -8, -7, -8, -7,
};

/* weights, four outputs interleaved */
NET_WEIGHTS_ATTR const int8_t net_w_packed[15] = {
    5, 25, 15, 127, 1, 2, -5, 1,
    -1, 0, 75, 2, -128, 12, 5,
};

NET_WEIGHTS_ATTR const int32_t net_b[5] = {
    -100, 0, 100, 200, 300,
};

NET_WEIGHTS_ATTR const int32_t net_m[5] = {
    1073741824, 1073754169, 1073766514, 1073778859, 1073791204,
};
