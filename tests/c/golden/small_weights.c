/* small: constants. Made by tinyc from the program small; do not edit. */
#include "small_weights.h"

/* The memory of the constants: an attribute, for builds that want another. */
#ifndef SMALL_WEIGHTS_ATTR
#define SMALL_WEIGHTS_ATTR
#endif

/* weights, four outputs interleaved */
SMALL_WEIGHTS_ATTR const float small_stem_w_packed[36] = {
    0.625f, 0.0f, 0.0f, 0.5f, 1.0f, -0.75f, 1.0f, 0.875f,
    -0.5f, -0.75f, -0.5f, 0.75f, -0.625f, -0.25f, 0.75f, -0.75f,
    0.625f, 0.375f, -0.875f, 0.875f, 0.75f, -0.25f, -0.375f, 0.75f,
    0.0f, 0.75f, 0.5f, -0.75f, -0.75f, -1.0f, 0.125f, 1.0f,
    0.75f, -0.125f, 0.875f, 0.5f,
};

SMALL_WEIGHTS_ATTR const float small_stem_b[4] = {
    -0.375f, -0.75f, -0.25f, 0.875f,
};

SMALL_WEIGHTS_ATTR const float small_dw_w[36] = {
    0.625f, -0.625f, 0.0f, 0.75f, 0.25f, -0.375f, -0.875f, 1.0f,
    -0.625f, 0.0f, 0.375f, -0.375f, 0.0f, -0.5f, 0.75f, 0.25f,
    -0.625f, -0.375f, 0.375f, 0.375f, -0.375f, -0.75f, -0.75f, -0.5f,
    0.625f, 0.75f, -0.375f, 0.25f, 0.0f, -0.5f, 0.125f, -0.75f,
    0.0f, -0.75f, -0.5f, -0.5f,
};

/* weights, four outputs interleaved */
SMALL_WEIGHTS_ATTR const float small_pw_w_packed[16] = {
    -1.0f, 0.625f, -0.875f, 0.0f, -0.25f, 0.75f, -0.375f, -0.125f,
    0.5f, -0.875f, -0.875f, -0.25f, 0.375f, 0.625f, -0.75f, -0.125f,
};

/* weights, four outputs interleaved */
SMALL_WEIGHTS_ATTR const float small_fc_w_packed[12] = {
    -0.125f, 0.5f, 0.75f, 0.125f, 0.25f, -0.625f, 0.25f, 0.0f,
    -0.375f, -0.25f, -0.875f, 0.625f,
};

SMALL_WEIGHTS_ATTR const float small_fc_b[3] = {
    0.75f, 1.0f, 0.625f,
};

/* what stands for rows and columns outside a tensor */
SMALL_WEIGHTS_ATTR const float small_zeros[24] = {0};
