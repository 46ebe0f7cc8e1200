#ifndef TINYC_XTENSA_FLOAT_H
#define TINYC_XTENSA_FLOAT_H

/* Whether the compiler's core has the floating-point unit of Xtensa: 16 registers, multiply-adds, moves on a condition,
 * loads and stores that move their pointer on. GCC copies sums from register to register between its own multiply-adds
 * and does not use the others, so there are functions of inline assembly for single instructions and for whole loops.
 * C of the same meaning stands beside each, for other cores and compilers, and where TINYC_EMULATE is defined.
 */
#if defined(__GNUC__) && !defined(__clang__) && defined(__XTENSA__) && !defined(__XTENSA_SOFT_FLOAT__) && \
    !defined(TINYC_EMULATE)
#define TINYC_XTENSA_FLOAT 1
#else
#define TINYC_XTENSA_FLOAT 0
#endif

#endif
