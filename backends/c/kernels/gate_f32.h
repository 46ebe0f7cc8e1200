#ifndef TINYC_GATE_F32_H
#define TINYC_GATE_F32_H

#include <math.h>

#include "common.h"

/* An activation: 0 sigmoid, 1 tanh, 2 relu, 3 softsign, 4 affine, 5 leaky relu, 6 hard sigmoid, 7 scaled tanh. */
TINYC_INLINE float tinyc_gate_f32(float z, int function, float a, float b)
{
    switch (function) {
    case 0:
        return 1.0f / (1.0f + expf(-z));
    case 1:
        return tanhf(z);
    case 2:
        return z < 0.0f ? 0.0f : z;
    case 3:
        return z / (1.0f + fabsf(z));
    case 4:
        return a * z + b;
    case 5:
        return z < 0.0f ? a * z : z;
    case 6:
        z = a * z + b;
        return z < 0.0f ? 0.0f : z > 1.0f ? 1.0f : z;
    default:
        return a * tanhf(b * z);
    }
}

/* Activation of a sum, which is clipped first. NaN stays what it is. */
TINYC_INLINE float tinyc_clipped_gate_f32(float z, float clip, int function, float a, float b)
{
    if (clip < INFINITY) {
        z = z < -clip ? -clip : z > clip ? clip : z;
    }
    return tinyc_gate_f32(z, function, a, b);
}

#endif
