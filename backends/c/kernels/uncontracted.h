#ifndef TINYC_UNCONTRACTED_H
#define TINYC_UNCONTRACTED_H

/* Float products and sums are rounded as they are written, whatever options the file is compiled with: the compiler makes no
 * fused operation of two of its own accord. (Clang does under -ffp-contract=fast, and every compiler computes something
 * else under -ffast-math.)
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=off")
#else
#pragma STDC FP_CONTRACT OFF
#endif

#endif
