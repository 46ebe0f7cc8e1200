/* What the harness needs to know of the simulated Xtensa core in order to measure. */
#ifndef HARNESS_XTENSA_H
#define HARNESS_XTENSA_H

#include <stdint.h>

#define MACHINE_STACK_ALIGN 16

/* The clock when the program began. */
extern uint32_t xtensa_begin;

/* Instructions executed since then. The core has a clock only, `ccount`, which QEMU derives from its own: with -icount
 * shift=6 an instruction takes 64 ns, 2.56 ticks at the 40 MHz of this core. Differences of ticks are wrong by less than
 * one, 0.4 instructions, so the nearest whole number is exact. The clock overflows every 1,677 million instructions:
 * there must be a call in between.
 */
static inline __attribute__((always_inline)) uint64_t machine_instructions(void)
{
    static uint64_t ticks;
    uint32_t now;
    __asm__ volatile("rsr %0, ccount" : "=a"(now) : : "memory");
    ticks += (uint32_t)(now - xtensa_begin - (uint32_t)ticks);
    return ((ticks << 4) + (ticks << 3) + ticks + 32) >> 6;
}

static inline __attribute__((always_inline)) uintptr_t machine_stack_pointer(void)
{
    uintptr_t at;
    __asm__ volatile("mov %0, a1" : "=a"(at));
    return at;
}

#endif
