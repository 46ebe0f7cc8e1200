/* A small implementation of what generated code uses of ESP-DSP. */
#include "dspm_mult.h"
#include "dsps_dotprod.h"

esp_err_t dsps_dotprod_f32(const float *a, const float *b, float *result, int length)
{
    *result = 0;
    for (int k = 0; k < length; ++k) {
        *result += a[k] * b[k];
    }
    return 0;
}

esp_err_t dspm_mult_f32(const float *a, const float *b, float *c, int m, int n, int k)
{
    for (int e = 0; e < m * k; ++e) {
        c[e] = 0;
        for (int s = 0; s < n; ++s) {
            c[e] += a[e / k * n + s] * b[s * k + e % k];
        }
    }
    return 0;
}
