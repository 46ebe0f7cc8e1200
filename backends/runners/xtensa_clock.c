/* Prints the MHz of the clock of a simulated Xtensa core by which instructions are counted (xtensa.h), when one of them
 * takes 64 ns: a million takes 64 ms.
 */
#include <stdint.h>
#include <stdio.h>

#define ROUNDS 500000u

int main(void)
{
    uint32_t begin;
    uint32_t end;
    uint32_t rounds = ROUNDS;
    __asm__ volatile("rsr %0, ccount\n"
                     "0: addi %2, %2, -1\n"
                     "bnez %2, 0b\n"
                     "rsr %1, ccount"
                     : "=&a"(begin), "=&a"(end), "+&a"(rounds));
    printf("%lu\n", (unsigned long)((end - begin + 32000) / 64000));
    return 0;
}
