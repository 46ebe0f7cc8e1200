/* What the harness needs to know of this computer in order to measure the stack. It counts no instructions. */
#ifndef HARNESS_HOST_H
#define HARNESS_HOST_H

#include <stdint.h>

#define MACHINE_STACK_ALIGN 16

static inline __attribute__((always_inline)) uint64_t machine_instructions(void)
{
    return 0;
}

static inline __attribute__((always_inline)) uintptr_t machine_stack_pointer(void)
{
    uintptr_t at;
#if defined(__x86_64__)
    __asm__ volatile("movq %%rsp, %0" : "=r"(at));
#elif defined(__aarch64__)
    __asm__ volatile("mov %0, sp" : "=r"(at));
#else
#error "the stack pointer of this computer is not known"
#endif
    return at;
}

#endif
