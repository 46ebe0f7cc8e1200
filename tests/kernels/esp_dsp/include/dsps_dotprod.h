/* ESP-DSP's product of vectors, as far as generated code uses it; implemented in esp_dsp.c for tests. */
#ifndef TESTS_DSPS_DOTPROD_H
#define TESTS_DSPS_DOTPROD_H

#include "dspm_mult.h"

esp_err_t dsps_dotprod_f32(const float *a, const float *b, float *result, int length);

#endif
