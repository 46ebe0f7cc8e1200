/* What kernels with the vector instructions of the ESP32-S3 (PIE) have in common.
 *
 * Every sequence of such instructions is a function: inline assembly where the compiler targets a core of the family,
 * and C of the same meaning elsewhere, or with TINYC_EMULATE. Registers of vectors and accumulators keep nothing from
 * one statement of assembly to the next. Vectors are loaded from any address: the block of 16 bytes that it lies in and
 * the one of the last byte wanted, so that nothing is read from blocks without a byte that is wanted.
 */
#ifndef TINYC_PIE_H
#define TINYC_PIE_H

#if defined(__XTENSA__) && !defined(TINYC_EMULATE)
#define TINYC_PIE 1
#else
#define TINYC_PIE 0
#endif

#if defined(__GNUC__)
#define TINYC_ALIGNED16 __attribute__((aligned(16)))
#else
#define TINYC_ALIGNED16
#endif

/* What sums of products are greater by while they are taken to pieces: never negative then, and their lower half, less
 * 2^15, is a signed number.
 */
#define TINYC_PIE_RAISED 0x40008000

#endif
