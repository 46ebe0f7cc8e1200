/* small: constants. Made by tinyc from the program small; do not edit. */
#ifndef SMALL_WEIGHTS_H
#define SMALL_WEIGHTS_H

#include <stdint.h>

#if defined(__GNUC__)
#define SMALL_ALIGNED __attribute__((aligned(4)))
#else
#define SMALL_ALIGNED
#endif

extern SMALL_ALIGNED const float small_stem_w_packed[36];
extern SMALL_ALIGNED const float small_stem_b[4];
extern SMALL_ALIGNED const float small_dw_w[36];
extern SMALL_ALIGNED const float small_pw_w_packed[16];
extern SMALL_ALIGNED const float small_fc_w_packed[12];
extern SMALL_ALIGNED const float small_fc_b[3];
extern SMALL_ALIGNED const float small_zeros[24];

#endif
