/* What every kernel file includes. */
#ifndef TINYC_COMMON_H
#define TINYC_COMMON_H

#include <stdint.h>

/* Kernels are always inlined into functions that pass their geometry as literals: that is how they are specialised. */
#ifndef TINYC_INLINE
#if defined(__GNUC__)
#define TINYC_INLINE static inline __attribute__((always_inline))
#else
#define TINYC_INLINE static inline
#endif
#endif

#endif
