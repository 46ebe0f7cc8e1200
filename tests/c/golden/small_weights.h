/* small: constants. Made by tinyc from the program small; do not edit. */
#ifndef SMALL_WEIGHTS_H
#define SMALL_WEIGHTS_H

#include <stdint.h>

extern const float small_stem_w_packed[36];
extern const float small_stem_b[4];
extern const float small_dw_w[36];
extern const float small_pw_w_packed[16];
extern const float small_fc_w_packed[12];
extern const float small_fc_b[3];
extern const float small_zeros[24];

#endif
