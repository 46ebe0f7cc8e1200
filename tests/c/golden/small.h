/* small: a neural network in C, made by tinyc golden. Do not edit.
 *
 *     SMALL_ARENA(arena);
 *     static float input[SMALL_INPUT_SIZE];
 *     static float output[SMALL_OUTPUT_SIZE];
 *
 *     small_run(arena, input, output);
 *
 * input: "image", float 1x6x6x1 (NHWC)
 * output: "scores", float 1x3
 *
 * RAM: 1728 bytes of arena, beside inputs (144) and outputs (12), and a small stack.
 * Flash: 524 bytes of constants, beside the code.
 *
 * The arena holds nothing between calls. Its address is a multiple of SMALL_ARENA_ALIGN.
 * Arena, inputs and outputs must not overlap each other.
 * The functions keep no state: they may run at the same time in several threads, each with its own arena.
 */
#ifndef SMALL_H
#define SMALL_H

#include <stdint.h>

/* The arena: bytes, and what its address is a multiple of. */
#define SMALL_ARENA_BYTES 1728
#define SMALL_ARENA_ALIGN 4

/* SMALL_ARENA(name); defines an arena: a static array of the right size, alignment and place. */
#ifndef SMALL_ARENA_ATTR
#define SMALL_ARENA_ATTR
#endif
#if defined(__GNUC__)
#define SMALL_ARENA(name) static SMALL_ARENA_ATTR unsigned char name[SMALL_ARENA_BYTES] __attribute__((aligned(SMALL_ARENA_ALIGN)))
#endif

/* "image", float 1x6x6x1 (NHWC) */
#define SMALL_INPUT_SIZE 36
#define SMALL_INPUT_BYTES 144
#define SMALL_INPUT_HEIGHT 6
#define SMALL_INPUT_WIDTH 6
#define SMALL_INPUT_CHANNELS 1

/* "scores", float 1x3 */
#define SMALL_OUTPUT_SIZE 3
#define SMALL_OUTPUT_BYTES 12

#ifdef __cplusplus
extern "C" {
#endif

/* One inference. */
void small_run(void *arena, const float *input, float *output);

#ifdef __cplusplus
}
#endif

#endif /* SMALL_H */
