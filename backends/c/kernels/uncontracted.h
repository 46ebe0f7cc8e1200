#ifndef TINYC_UNCONTRACTED_H
#define TINYC_UNCONTRACTED_H

/* Products and sums of floats are rounded as they are written, whatever options the file is compiled with: no compiler
 * makes one operation of two. (Clang does under -ffp-contract=fast, and all compute something else under -ffast-math.)
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=off")
#else
#pragma STDC FP_CONTRACT OFF
#endif

#endif
