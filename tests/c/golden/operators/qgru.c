/* The C of one qgru. `pytest tests/c/test_golden_operators.py --update-golden` makes it of this module:

// data: constant_1 = integers(i8[9,3], seed=0)
module @qgru {
  input %x: i8[4,1,1]
  %constant = constant() {data = i8[9,1]<-106, -53, 9, 64, -36, 47, -29, 91, -78>} : i8[9,1]
  %constant_1 = constant() {data = @constant_1} : i8[9,3]
  %constant_2 = constant() {data = i32[1,3]<-15854, 56248, 13554>} : i32[1,3]
  %constant_3 = constant() {data = i32[9]<21023, 58233, -39138, 27208, 48279, 17353, -11934, 59509, 50513>} : i32[9]
  %constant_4 = constant() {data = i32[9]<136572, 32652, 7361, 48901, 209098, 599, 258776, 174658, 127879>} : i32[9]
  %constant_5 = constant() {data = i32[9]<170500, 33021, 100174, 116236, 125103, 74708, 234865, 47823, 42176>} : i32[9]
  %qgru = qgru(%x, %constant, %constant_1, %constant_3, %constant_4, %constant_5, %constant_2, none) {multiplier = 1342177280, shift = -9, zero = 127, functions = [leaky_relu, softsign], alpha = [328, 0], beta = [0, 0], reverse = true} : i8[4,1,3]
  return %qgru
}
*/

TINYC_NOINLINE void net_qgru_0(const int8_t *x, const int8_t *w, const int8_t *r, const int32_t *b, const int32_t *wm, const int32_t *rm, const int32_t *h, const int16_t *table, int32_t *state, int8_t *out)
{
    tinyc_qgru_i8(x, w, r, b, wm, rm, h, NULL, table, state, /*carry=*/0, out, /*steps=*/4, /*batch=*/1,
        /*inputs=*/1, /*hidden=*/3, /*reverse=*/1, /*every=*/1, /*places=*/15, /*multiplier=*/1342177280,
        /*shift=*/-9, /*zero=*/127, /*x_bytes=*/1, /*bytes=*/1, /*most=*/32768, /*step=*/10, /*clip=*/1073741824,
        /*bounded=*/1, /*small=*/0, /*after=*/0, /*f=*/5, /*fa=*/328, /*fb=*/0, /*g=*/3, /*ga=*/0, /*gb=*/0);
}

void net_run(void *arena, const int8_t *input, int8_t *output)
{
    unsigned char *const mem = (unsigned char *)arena;
    int32_t *const qgru_state = (int32_t *)(void *)(mem + 0);
    TINYC_BEGIN(1);
    TINYC_INPUT(0, input, 4);

    /* 0 qgru "qgru": 4x1x1 -> 4x1x3, 144 MACs */
    net_qgru_0(input, net_constant_packed, net_constant_1_packed, net_constant_3_packed, net_constant_4_packed, net_constant_5_packed, net_constant_2, net_tanh_, qgru_state, output);
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

NET_WEIGHTS_ATTR const int8_t net_constant_packed[9] = {
    -106, 64, -53, -36, 9, 47, -29, 91,
    -78,
};

NET_WEIGHTS_ATTR const int8_t net_constant_1_packed[27] = {
    77, -1, 44, -109, -43, -10, -70, -13,
    -30, -7, -8, -68, -71, 119, -119, -22,
    -124, -75, 30, -117, 89, 123, -100, -86,
    -41, 116, 34,
};

NET_WEIGHTS_ATTR const int32_t net_constant_3_packed[9] = {
    21023, 27208, -11934, 58233, 48279, 59509, -39138, 17353,
    50513,
};

NET_WEIGHTS_ATTR const int32_t net_constant_4_packed[9] = {
    136572, 48901, 258776, 32652, 209098, 174658, 7361, 599,
    127879,
};

NET_WEIGHTS_ATTR const int32_t net_constant_5_packed[9] = {
    170500, 116236, 234865, 33021, 125103, 47823, 100174, 74708,
    42176,
};

NET_WEIGHTS_ATTR const int32_t net_constant_2[3] = {
    -15854, 56248, 13554,
};
