/* What a program lacks on the simulated core of the ESP8266 beside xtensa.c: a beginning, and the integer arithmetic that
 * the compiler calls but its library does not have. There is no float arithmetic.
 */
#include <stdint.h>

/* The core comes out of reset within an exception (PS.EXCM), where loops and further exceptions do not work: clearing it
 * leaves the user mode bit alone (PS.UM). The three vectors are those of exceptions in kernel mode, in user mode and
 * within an exception; all lead to `fault` with what the cause and the address were.
 */
__asm__(".pushsection .reset, \"ax\"\n"
        "    j _start\n"
        "    .balign 16\n"
        ".popsection\n"
        ".pushsection .vectors, \"ax\"\n"
        "    .word fault\n"
        "    .org 0x30\n"
        "    j vector\n"
        "    .org 0x50\n"
        "    j vector\n"
        "    .org 0x70\n"
        "    j vector\n"
        "    .balign 4\n"
        "vector:\n"
        "    rsr a2, exccause\n"
        "    rsr a3, epc1\n"
        "    movi a4, 0x20\n"
        "    wsr a4, ps\n"
        "    rsync\n"
        "    movi a4, 0x400\n"
        "    slli a4, a4, 20\n"
        "    l32i a4, a4, 0\n"
        "    jx a4\n"
        ".popsection\n"
        ".pushsection .text\n"
        "    .balign 4\n"
        "    .literal_position\n"
        "    .global _start\n"
        "    .balign 4\n"
        "_start:\n"
        "    movi a0, 0\n"
        "    wsr a0, intenable\n"
        "    movi a2, 0x20\n"
        "    wsr a2, ps\n"
        "    rsync\n"
        "    movi a1, __stack\n"
        "    call0 begin\n"
        ".popsection\n");

/* Arithmetic, by the names that the compiler calls. Division is that of the pencil: bit by bit, from the top. */

uint32_t __udivsi3(uint32_t a, uint32_t b);
uint32_t __umodsi3(uint32_t a, uint32_t b);
int32_t __divsi3(int32_t a, int32_t b);
uint64_t __umulsidi3(uint32_t a, uint32_t b);
int64_t __muldi3(int64_t a, int64_t b);
uint64_t __udivdi3(uint64_t a, uint64_t b);
uint64_t __umoddi3(uint64_t a, uint64_t b);
int64_t __divdi3(int64_t a, int64_t b);

static uint32_t divide(uint32_t a, uint32_t b, uint32_t *rest)
{
    uint32_t quotient = 0;
    uint32_t r = 0;
    int k;
    for (k = 31; k >= 0; --k) {
        r = r << 1 | (a >> k & 1);
        quotient <<= 1;
        if (r >= b) {
            r -= b;
            quotient |= 1;
        }
    }
    *rest = r;
    return quotient;
}

static uint64_t divide_long(uint64_t a, uint64_t b, uint64_t *rest)
{
    uint64_t r = 0;
    int k;
    for (k = 0; k < 64; ++k) {
        r = r << 1 | a >> 63;
        a <<= 1;
        if (r >= b) {
            r -= b;
            a |= 1;
        }
    }
    *rest = r;
    return a;
}

uint32_t __udivsi3(uint32_t a, uint32_t b)
{
    uint32_t rest;
    return divide(a, b, &rest);
}

uint32_t __umodsi3(uint32_t a, uint32_t b)
{
    uint32_t rest;
    (void)divide(a, b, &rest);
    return rest;
}

int32_t __divsi3(int32_t a, int32_t b)
{
    const uint32_t size = __udivsi3(a < 0 ? 0 - (uint32_t)a : (uint32_t)a, b < 0 ? 0 - (uint32_t)b : (uint32_t)b);
    return (int32_t)((a < 0) != (b < 0) ? 0 - size : size);
}

uint64_t __umulsidi3(uint32_t a, uint32_t b)
{
    const uint32_t low = (a & 0xFFFF) * (b & 0xFFFF);
    const uint32_t one = (a >> 16) * (b & 0xFFFF) + (low >> 16);
    const uint32_t two = (a & 0xFFFF) * (b >> 16) + (one & 0xFFFF);
    const uint32_t high = (a >> 16) * (b >> 16) + (one >> 16) + (two >> 16);
    return (uint64_t)high << 32 | (two << 16 | (low & 0xFFFF));
}

int64_t __muldi3(int64_t a, int64_t b)
{
    const uint32_t a_low = (uint32_t)a;
    const uint32_t b_low = (uint32_t)b;
    const uint32_t a_high = (uint32_t)((uint64_t)a >> 32);
    const uint32_t b_high = (uint32_t)((uint64_t)b >> 32);
    return (int64_t)(__umulsidi3(a_low, b_low) + ((uint64_t)(a_high * b_low + a_low * b_high) << 32));
}

uint64_t __udivdi3(uint64_t a, uint64_t b)
{
    uint64_t rest;
    return divide_long(a, b, &rest);
}

uint64_t __umoddi3(uint64_t a, uint64_t b)
{
    uint64_t rest;
    (void)divide_long(a, b, &rest);
    return rest;
}

int64_t __divdi3(int64_t a, int64_t b)
{
    const uint64_t size = __udivdi3(a < 0 ? 0 - (uint64_t)a : (uint64_t)a, b < 0 ? 0 - (uint64_t)b : (uint64_t)b);
    return (int64_t)((a < 0) != (b < 0) ? 0 - size : size);
}
