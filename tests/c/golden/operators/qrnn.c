/* The C of one qrnn. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

module @qrnn {
  input %x: i8[4,1,1]
  %constant = constant() {data = i8[3,1]<-106, -53, 9>} : i8[3,1]
  %constant_1 = constant() {data = i8[3,3]<-2, 82, 24, 31, 20, -125, -117, -7, -66>} : i8[3,3]
  %constant_2 = constant() {data = i32[3]<132, -27011, 15767>} : i32[3]
  %constant_3 = constant() {data = i32[3]<51780, 38662, 173118>} : i32[3]
  %constant_4 = constant() {data = i32[3]<247538, 52796, 185488>} : i32[3]
  %qrnn = qrnn(%x, %constant, %constant_1, %constant_2, %constant_3, %constant_4, none) {multiplier = 1342177280, shift = -9, functions = [leaky_relu], alpha = [328], beta = [0]} : i8[4,1,3]
  return %qrnn
}
*/

TINYC_NOINLINE void net_qrnn_0(const int8_t *x, const int8_t *w, const int8_t *r, const int32_t *b, const int32_t *wm, const int32_t *rm, const int16_t *table, int32_t *state, int8_t *out)
{
    tinyc_qrnn_i8(x, w, r, b, wm, rm, NULL, table, state, /*carry=*/0, out, /*steps=*/4, /*batch=*/1, /*inputs=*/1,
        /*hidden=*/3, /*reverse=*/0, /*every=*/1, /*places=*/15, /*multiplier=*/1342177280, /*shift=*/-9, /*zero=*/0,
        /*x_bytes=*/1, /*bytes=*/1, /*most=*/32768, /*step=*/10, /*clip=*/1073741824, /*bounded=*/1, /*f=*/5,
        /*fa=*/328, /*fb=*/0);
}

void net_run(void *arena, const int8_t *input, int8_t *output)
{
    unsigned char *const mem = (unsigned char *)arena;
    int32_t *const qrnn_state = (int32_t *)(void *)(mem + 0);
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 4);

    /* 0 qrnn "qrnn": 4x1x1 -> 4x1x3, 48 MACs */
    net_qrnn_0(input, net_constant_packed, net_constant_1_packed, net_constant_2_packed, net_constant_3_packed, net_constant_4_packed, net_tanh_, qrnn_state, output);
    TINYC_TRACE(0, 0, output, 12);
    TINYC_END();
}

/* tanh from 0 to 8, times 2^15 */
NET_WEIGHTS_ATTR const int16_t net_tanh_[257] = {
    0, 1024, 2045, 3063, 4075, 5079, 6073, 7056,
    8025, 8980, 9919, 10840, 11743, 12625, 13486, 14326,
    15143, 15936, 16706, 17452, 18173, 18870, 19542, 20189,
    20813, 21411, 21986, 22538, 23066, 23571, 24054, 24516,
    24956, 25376, 25776, 26157, 26519, 26864, 27191, 27502,
    27797, 28076, 28341, 28592, 28830, 29055, 29268, 29470,
    29660, 29840, 30010, 30170, 30322, 30465, 30600, 30727,
    30847, 30960, 31067, 31167, 31262, 31351, 31435, 31515,
    31589, 31659, 31726, 31788, 31846, 31901, 31953, 32002,
    32048, 32091, 32132, 32170, 32206, 32240, 32271, 32301,
    32329, 32356, 32381, 32404, 32426, 32447, 32466, 32484,
    32501, 32517, 32532, 32547, 32560, 32573, 32584, 32596,
    32606, 32616, 32625, 32634, 32642, 32649, 32657, 32663,
    32670, 32676, 32681, 32686, 32691, 32696, 32700, 32704,
    32708, 32712, 32715, 32718, 32721, 32724, 32727, 32729,
    32732, 32734, 32736, 32738, 32740, 32741, 32743, 32745,
    32746, 32747, 32749, 32750, 32751, 32752, 32753, 32754,
    32755, 32755, 32756, 32757, 32758, 32758, 32759, 32759,
    32760, 32760, 32761, 32761, 32762, 32762, 32762, 32763,
    32763, 32763, 32764, 32764, 32764, 32764, 32765, 32765,
    32765, 32765, 32765, 32766, 32766, 32766, 32766, 32766,
    32766, 32766, 32766, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767, 32767, 32767, 32767, 32767, 32767, 32767, 32767,
    32767,
};

NET_WEIGHTS_ATTR const int8_t net_constant_packed[3] = {
    -106, -53, 9,
};

NET_WEIGHTS_ATTR const int8_t net_constant_1_packed[9] = {
    -2, 82, 24, 31, 20, -125, -117, -7,
    -66,
};

NET_WEIGHTS_ATTR const int32_t net_constant_2_packed[3] = {
    132, -27011, 15767,
};

NET_WEIGHTS_ATTR const int32_t net_constant_3_packed[3] = {
    51780, 38662, 173118,
};

NET_WEIGHTS_ATTR const int32_t net_constant_4_packed[3] = {
    247538, 52796, 185488,
};
