#ifndef TINYC_XTENSA_LIMIT_F32_H
#define TINYC_XTENSA_LIMIT_F32_H

/* Limit a named operand of inline assembly to the operands low and high, as tinyc_clamp_f32 does. */
#define TINYC_XTENSA_NO_LIMIT(v)
#define TINYC_XTENSA_LIMIT_LOW(v) "ole.s b0, %[" v "], %[low]\n\tmovt.s %[" v "], %[low], b0\n\t"
#define TINYC_XTENSA_LIMIT_HIGH(v) "olt.s b0, %[high], %[" v "]\n\tmovt.s %[" v "], %[high], b0\n\t"
#define TINYC_XTENSA_LIMIT(v) TINYC_XTENSA_LIMIT_LOW(v) TINYC_XTENSA_LIMIT_HIGH(v)

#endif
