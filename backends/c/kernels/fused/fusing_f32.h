#ifndef TINYC_FUSED_FUSING_F32_H
#define TINYC_FUSED_FUSING_F32_H

/* Whether tinyc_multiply_add_f32 rounds once. */
#define TINYC_FUSING 1

#endif
