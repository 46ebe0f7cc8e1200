/* ESP-DSP's product of matrices, as far as generated code uses it; implemented in esp_dsp.c for tests. */
#ifndef TESTS_DSPM_MULT_H
#define TESTS_DSPM_MULT_H

typedef int esp_err_t;

/* c[m][k] = a[m][n] * b[n][k] */
esp_err_t dspm_mult_f32(const float *a, const float *b, float *c, int m, int n, int k);

#endif
