#ifndef TINYC_SUMS_F32_H
#define TINYC_SUMS_F32_H

/* The sums of up to four output channels of one pixel. */
typedef struct {
    float s0, s1, s2, s3;
} tinyc_sums_f32;

#endif
