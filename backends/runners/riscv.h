/* What the harness needs to know of a 32-bit RISC-V machine in order to measure. */
#ifndef HARNESS_RISCV_H
#define HARNESS_RISCV_H

#include <stdint.h>

#define MACHINE_STACK_ALIGN 16

/* Instructions executed so far. The upper half is read twice: the lower one may overflow in between. */
static inline __attribute__((always_inline)) uint64_t machine_instructions(void)
{
    uint32_t high;
    uint32_t low;
    uint32_t again;
    do {
        __asm__ volatile(".option push\n\t"
                         ".option arch, +zicsr\n\t"
                         "csrr %0, minstreth\n\t"
                         "csrr %1, minstret\n\t"
                         "csrr %2, minstreth\n\t"
                         ".option pop"
                         : "=&r"(high), "=&r"(low), "=&r"(again)
                         :
                         : "memory");
    } while (high != again);
    return ((uint64_t)high << 32) | low;
}

static inline __attribute__((always_inline)) uintptr_t machine_stack_pointer(void)
{
    uintptr_t at;
    __asm__ volatile("mv %0, sp" : "=r"(at));
    return at;
}

#endif
