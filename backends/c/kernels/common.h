/* What every kernel file includes. */
#ifndef TINYC_COMMON_H
#define TINYC_COMMON_H

#include <stdint.h>

/* Kernels are always inlined into functions that pass their geometry as literals: that is how they are specialised.
 * Those functions, and what prepares rows, are not inlined in turn: compilers take minutes over a whole network that
 * has become one function.
 */
#ifndef TINYC_INLINE
#if defined(__GNUC__)
#define TINYC_INLINE static inline __attribute__((always_inline))
#else
#define TINYC_INLINE static inline
#endif
#endif
#ifndef TINYC_NOINLINE
#if defined(__GNUC__)
#define TINYC_NOINLINE static __attribute__((noinline))
#else
#define TINYC_NOINLINE static
#endif
#endif

/* The compiler knows nothing of v from here on, and computes it before: neither is what follows moved up from here, nor
 * a jump around made a choice between values. With TINYC_KEEP_AFTER this is behind w, so that it stays in the loop that
 * computes w, and what is made of v takes no register before.
 */
#if defined(__GNUC__)
#define TINYC_KEEP(v) __asm__("" : "+r"(v))
#define TINYC_KEEP_AFTER(v, w) __asm__("" : "+r"(v) : "r"(w))
#else
#define TINYC_KEEP(v) (void)(v)
#define TINYC_KEEP_AFTER(v, w) (void)(v)
#endif

#endif
