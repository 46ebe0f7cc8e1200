/* What the harness needs to know of the simulated Xtensa core in order to measure. */
#ifndef HARNESS_XTENSA_H
#define HARNESS_XTENSA_H

#include <stdint.h>

#define MACHINE_STACK_ALIGN 16

/* The clock when the program began. */
extern uint32_t xtensa_begin;

/* Instructions executed since then. The core has a clock only, `ccount`, which QEMU derives from its own, and of whose
 * XTENSA_MHZ the runner tells. There must be a call before it overflows.
 *
 * At 40 MHz, an instruction takes 64 ns (-icount shift=6), 2.56 ticks. Differences of ticks are wrong by less than one,
 * 0.4 instructions, so the nearest whole number is exact. The clock overflows every 1,677 million instructions. At 1 GHz
 * an instruction takes 1 ns (-icount shift=0), a tick.
 */
static inline __attribute__((always_inline)) uint64_t machine_instructions(void)
{
    static uint64_t ticks;
    uint32_t now;
    __asm__ volatile("rsr %0, ccount" : "=a"(now) : : "memory");
    ticks += (uint32_t)(now - xtensa_begin - (uint32_t)ticks);
#if XTENSA_MHZ == 1000
    return ticks;
#elif XTENSA_MHZ == 40
    return ((ticks << 4) + (ticks << 3) + ticks + 32) >> 6;
#else
#error "instructions are counted at 40 MHz or 1000 MHz"
#endif
}

static inline __attribute__((always_inline)) uintptr_t machine_stack_pointer(void)
{
    uintptr_t at;
    __asm__ volatile("mov %0, a1" : "=a"(at));
    return at;
}

#endif
