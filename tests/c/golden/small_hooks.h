/* What small.c does besides when it is built to look into the network. Made by tinyc; do not edit.
 *
 *   TINYC_PROFILE         calls small_profile for each layer after each inference, with the cycles that it took
 *   TINYC_TIMES           prints these cycles, for `tinyc bench --from-log`
 *   TINYC_DUMP            prints the inputs and every layer's result, for `tinyc compare-dump`
 *   TINYC_DUMP_CHECKSUMS  the same with checksums of integers in their place: for slow lines. Inputs and floats, whose
 *                         checksums rounding changes, it prints as they are.
 *
 * Such a build may define TINYC_CYCLES(), an expression that counts upwards, and TINYC_DUMP_LINE(text), which prints a
 * line, for example in a header given with -include. It keeps state: one inference at a time.
 */
#ifndef SMALL_HOOKS_H
#define SMALL_HOOKS_H

#include <stdint.h>

#ifdef TINYC_TRACE
#error "TINYC_TRACE is defined already: a build has one way to look into the network"
#endif

#define TINYC_HOOKS_LAYERS 8

#if defined(TINYC_PROFILE) || defined(TINYC_TIMES)
#define TINYC_HOOKS_CLOCK 1

#ifndef TINYC_CYCLES
#ifdef ESP_PLATFORM
#include "esp_cpu.h"
#define TINYC_CYCLES() esp_cpu_get_cycle_count()
#else
#error "TINYC_PROFILE and TINYC_TIMES need a clock: define TINYC_CYCLES(), an expression that counts upwards"
#endif
#endif

static uint32_t tinyc_hooks_cycles[TINYC_HOOKS_LAYERS];
static uint32_t tinyc_hooks_last;

#endif

#ifdef TINYC_PROFILE

/* Yours to define. Called after each inference, once for each layer, in their order. */
void small_profile(int layer, const char *name, uint32_t cycles);

static const char *const tinyc_hooks_names[TINYC_HOOKS_LAYERS] = {
    "conv2d stem/conv+stem/relu",
    "depthwise_conv2d dw",
    "conv2d pw",
    "add residual",
    "max_pool2d pool",
    "reduce_mean gap",
    "dense fc",
    "softmax softmax",
};

#endif

#if defined(TINYC_TIMES) || defined(TINYC_DUMP) || defined(TINYC_DUMP_CHECKSUMS)

#include <stdio.h>

/* Which network, in which order of work: the options of what reads the log must give the same one. */
#define TINYC_HOOKS_PROGRAM "62e5e7cb"

#ifndef TINYC_DUMP_LINE
#define TINYC_DUMP_LINE(text) ((void)puts(text))
#endif

#endif

#ifdef TINYC_TIMES

/* The clock that cycles are those of, in MHz; 0 where it is not known. */
#ifndef TINYC_MHZ
#ifdef ESP_PLATFORM
#include "esp_rom_sys.h"
#define TINYC_MHZ() esp_rom_get_cpu_ticks_per_us()
#else
#define TINYC_MHZ() 0
#endif
#endif

/* Prints `tinyc-times PROGRAM LAYER CYCLES;` for each layer, then `tinyc-times PROGRAM end LAYERS SUM MHZ;`. */
static void tinyc_hooks_print_times(void)
{
    char line[80];
    uint32_t sum = 0;
    for (int k = 0; k < TINYC_HOOKS_LAYERS; ++k) {
        sum += tinyc_hooks_cycles[k];
        (void)snprintf(line, sizeof line, "tinyc-times " TINYC_HOOKS_PROGRAM " %d %lu;", k,
                       (unsigned long)tinyc_hooks_cycles[k]);
        TINYC_DUMP_LINE(line);
    }
    (void)snprintf(line, sizeof line, "tinyc-times " TINYC_HOOKS_PROGRAM " end %d %lu %lu;", TINYC_HOOKS_LAYERS,
                   (unsigned long)sum, (unsigned long)TINYC_MHZ());
    TINYC_DUMP_LINE(line);
}

#endif

#if defined(TINYC_DUMP) || defined(TINYC_DUMP_CHECKSUMS)

/* The CRC-32 of zlib and PNG. */
static uint32_t tinyc_hooks_crc(const unsigned char *bytes, uint32_t size)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (uint32_t k = 0; k < size; ++k) {
        crc ^= bytes[k];
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

/* Bytes of elements in a line, a multiple of every element's size and of 3. */
#define TINYC_HOOKS_BYTES 96u

/* Writes bytes as base64 and gives the number of characters. */
static uint32_t tinyc_hooks_base64(char *to, const unsigned char *bytes, uint32_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t at = 0;
    for (uint32_t k = 0; k < size; k += 3) {
        const uint32_t second = k + 1 < size ? bytes[k + 1] : 0u;
        const uint32_t third = k + 2 < size ? bytes[k + 2] : 0u;
        const uint32_t word = (uint32_t)bytes[k] << 16 | second << 8 | third;
        to[at++] = digits[word >> 18];
        to[at++] = digits[word >> 12 & 63u];
        to[at++] = k + 1 < size ? digits[word >> 6 & 63u] : '=';
        to[at++] = k + 2 < size ? digits[word & 63u] : '=';
    }
    return at;
}

/* Prints `tinyc PROGRAM LAYER FIRST COUNT CRC32 BASE64;`, without the elements `tinyc PROGRAM LAYER FIRST COUNT CRC32;`.
 * Layer -1 is the first input, -2 the second.
 */
static void tinyc_hooks_line(int layer, uint32_t first, uint32_t count, const unsigned char *bytes, uint32_t size,
                             int elements)
{
    char line[224];
    const unsigned long crc = tinyc_hooks_crc(bytes, size);
    int at = snprintf(line, 80, "tinyc " TINYC_HOOKS_PROGRAM " %d %lu %lu %08lx", layer, (unsigned long)first,
                      (unsigned long)count, crc);
    if (elements) {
        line[at++] = ' ';
        at += (int)tinyc_hooks_base64(line + at, bytes, size);
    }
    line[at++] = ';';
    line[at] = '\0';
    TINYC_DUMP_LINE(line);
}

static void tinyc_hooks_dump(int layer, uint32_t first, const void *data, uint32_t count, uint32_t size)
{
    const unsigned char *const bytes = (const unsigned char *)data;
    const uint32_t most = TINYC_HOOKS_BYTES / size;
#ifdef TINYC_DUMP_CHECKSUMS
    /* Layers that are printed as they are. */
    static const unsigned char printed[TINYC_HOOKS_LAYERS] = {1, 1, 1, 1, 1, 1, 1, 1};
    if (layer >= 0 && !printed[layer]) {
        tinyc_hooks_line(layer, first, count, bytes, count * size, 0);
        return;
    }
#endif
    for (uint32_t k = 0; k < count; k += most) {
        const uint32_t some = count - k < most ? count - k : most;
        tinyc_hooks_line(layer, first + k, some, bytes + k * size, some * size, 1);
    }
}

#else
#define tinyc_hooks_dump(layer, first, data, count, size) ((void)(first), (void)(data), (void)(count), (void)(size))
#endif

static void tinyc_hooks_begin(int first)
{
#if defined(TINYC_DUMP) || defined(TINYC_DUMP_CHECKSUMS)
    if (first) {
        TINYC_DUMP_LINE("tinyc " TINYC_HOOKS_PROGRAM " begin;");
    }
#endif
#ifdef TINYC_HOOKS_CLOCK
    for (int k = 0; first && k < TINYC_HOOKS_LAYERS; ++k) {
        tinyc_hooks_cycles[k] = 0;
    }
    tinyc_hooks_last = (uint32_t)TINYC_CYCLES();
#endif
}

static void tinyc_hooks_end(void)
{
#if defined(TINYC_DUMP) || defined(TINYC_DUMP_CHECKSUMS)
    TINYC_DUMP_LINE("tinyc " TINYC_HOOKS_PROGRAM " end;");
#endif
#ifdef TINYC_TIMES
    tinyc_hooks_print_times();
#endif
#ifdef TINYC_PROFILE
    for (int k = 0; k < TINYC_HOOKS_LAYERS; ++k) {
        small_profile(k, tinyc_hooks_names[k], tinyc_hooks_cycles[k]);
    }
#endif
}

/* Elements of a layer's result, or of an input, are there. What this does takes none of a layer's cycles. */
static void tinyc_hooks_see(int layer, uint32_t first, const void *data, uint32_t count, uint32_t size)
{
#ifdef TINYC_HOOKS_CLOCK
    if (layer >= 0) {
        tinyc_hooks_cycles[layer] += (uint32_t)TINYC_CYCLES() - tinyc_hooks_last;
    }
#endif
    /* Of what is gathered row by row there is nothing to see before the last. */
    if (count) {
        tinyc_hooks_dump(layer, first, data, count, size);
    }
#ifdef TINYC_HOOKS_CLOCK
    tinyc_hooks_last = (uint32_t)TINYC_CYCLES();
#endif
}

#define TINYC_BEGIN(first) tinyc_hooks_begin(first)
#define TINYC_END() tinyc_hooks_end()
#define TINYC_INPUT(input, p, n) TINYC_TRACE(-1 - (input), 0, p, n)
#define TINYC_TRACE(layer, at, p, n) tinyc_hooks_see(layer, (uint32_t)(at), p, (uint32_t)(n), (uint32_t)sizeof *(p))

#endif
