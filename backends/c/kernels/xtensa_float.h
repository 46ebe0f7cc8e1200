#ifndef TINYC_XTENSA_FLOAT_H
#define TINYC_XTENSA_FLOAT_H

/* Whether the compiler's core has the floating-point unit of Xtensa: 16 registers, multiply-adds, moves by condition,
 * loads and stores that move their pointer on. Where it has not, or TINYC_EMULATE is defined, C computes the same.
 */
#if defined(__GNUC__) && defined(__XTENSA__) && !defined(__XTENSA_SOFT_FLOAT__) && !defined(TINYC_EMULATE)
#define TINYC_XTENSA_FLOAT 1
#else
#define TINYC_XTENSA_FLOAT 0
#endif

#endif
