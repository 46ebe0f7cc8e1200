/* The program around a network: runs it on the inferences in a file, on this computer or on a simulated one.
 *
 * exchange.py describes the files and the exit statuses. harness_network.h, which is generated, holds the memory of one
 * network and the calls of its functions. Options:
 *
 *   HARNESS_PUSH     hand rows to the network, rather than let it ask for them
 *   HARNESS_TRACE    write every stage's result to trace.bin
 *   HARNESS_MEASURE  count instructions and bytes of stack of one inference, and write them to counts.bin
 *   HARNESS_LAYERS   count the instructions of every stage as well; the counting changes the total
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* A sanitiser guards the ends of arrays itself, and sees reads too. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GUARD 0
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#undef GUARD
#define GUARD 0
#endif
#ifndef GUARD
#define GUARD 64
#endif

#define CANARY 0xA7

/* Room for `bytes` between guards. C has no empty arrays. */
#define ROOM(bytes) (GUARD + (bytes) + GUARD + ((bytes) == 0))

/* Not all are needed with every network. */
#define INLINE static inline __attribute__((always_inline, unused))

enum { BAD_FILE = 2, BAD_ARENA, BAD_OUTPUT, BAD_ROWS, BAD_STACK, BAD_GIVEN };

/* Memory that the network may write, between guards. The last of an array has no room. */
struct block {
    unsigned char *room;
    size_t bytes;
};

/* An input as the file has it. The last of an array has no data. */
struct data {
    unsigned char *bytes;
    size_t size;
};

/* Instructions of the harness itself between begin and end of the call: they are not the network's. */
static uint64_t outside;

#ifndef HARNESS_MEASURE
#define machine_instructions() ((uint64_t)0)
#endif

/* A loop that no compiler makes a call of: what runs while the stack is measured must not use any. */
INLINE void copy(unsigned char *to, const unsigned char *from, size_t bytes)
{
    size_t k;
    for (k = 0; k < bytes; ++k) {
        to[k] = from[k];
        __asm__ volatile("" ::: "memory");
    }
}

/* The rows of an input that the network asks for, or of an output that it hands over: how many there are and of how many
 * bytes, how many it has had or given, and whether one was another than the next.
 */
struct rows {
    int count;
    size_t bytes;
    int done;
    int wrong;
};

INLINE int is_next(struct rows *rows, int row)
{
    if (row != rows->done || row >= rows->count) {
        rows->wrong = 1;
        return 0;
    }
    ++rows->done;
    return 1;
}

INLINE void give_row(struct rows *rows, int theirs, int row, void *to, const unsigned char *all)
{
    const uint64_t begin = machine_instructions();
    rows->wrong |= theirs;
    if (is_next(rows, row)) {
        copy(to, all + (size_t)row * rows->bytes, rows->bytes);
    }
    outside += machine_instructions() - begin;
}

INLINE void keep_row(struct rows *rows, int theirs, int row, const void *from, unsigned char *all)
{
    const uint64_t begin = machine_instructions();
    rows->wrong |= theirs;
    if (is_next(rows, row)) {
        copy(all + (size_t)row * rows->bytes, from, rows->bytes);
    }
    outside += machine_instructions() - begin;
}

/* Keeps the rows that a call gave, of which those before row 0 are not there. */
INLINE void keep_late(int first, int count, size_t bytes, const unsigned char *from, unsigned char *all)
{
    const uint64_t begin = machine_instructions();
    const int skip = first < 0 ? -first : 0;
    if (skip < count) {
        copy(all + (size_t)(first + skip) * bytes, from + (size_t)skip * bytes, (size_t)(count - skip) * bytes);
    }
    outside += machine_instructions() - begin;
}

INLINE void spoil(unsigned char *row, size_t bytes)
{
    const uint64_t begin = machine_instructions();
    size_t k;
    for (k = 0; k < bytes; ++k) {
        row[k] = CANARY;
        __asm__ volatile("" ::: "memory");
    }
    outside += machine_instructions() - begin;
}

#include "harness_network.h"

static void garbage(const struct block *block, uint32_t turn)
{
    memset(block->room, CANARY, GUARD + block->bytes + GUARD);
    /* As float32 the one is huge, the other NaN. */
    memset(block->room + GUARD, turn % 2 != 0 ? 0xFF : 0x7F, block->bytes);
}

static int intact(const struct block *block)
{
    int k;
    for (k = 0; k < GUARD; ++k) {
        if (block->room[k] != CANARY || block->room[GUARD + block->bytes + (size_t)k] != CANARY) {
            return 0;
        }
    }
    return 1;
}

/* What of the memory around arena and outputs is not as it was; 0 when all is. */
static int written_outside(void)
{
    const struct block *block;
    if (!intact(&arenas[0]) || !intact(&arenas[1])) {
        return BAD_ARENA;
    }
    for (block = outputs; block->room != NULL; ++block) {
        if (!intact(block)) {
            return BAD_OUTPUT;
        }
    }
    return 0;
}

#ifdef HARNESS_TRACE
static FILE *traced;

/* Nothing is recorded of what comes after a stage that wrote outside: the last record is that stage's. */
static int outside_now;

static void record(int32_t stage, size_t first, size_t bytes)
{
    const int32_t head[3] = {stage, (int32_t)first, (int32_t)bytes};
    fwrite(head, sizeof head, 1, traced);
}

void harness_trace(int stage, size_t first, const void *data, size_t bytes);
void harness_trace(int stage, size_t first, const void *data, size_t bytes)
{
    if (outside_now) {
        return;
    }
    record(stage, first, bytes);
    fwrite(data, 1, bytes, traced);
    outside_now = written_outside() != 0;
}
#endif

#ifdef HARNESS_LAYERS
/* One place more than there are stages, for what counting itself costs. */
static uint64_t layers[HARNESS_STAGES + 1];
static uint64_t layer_begin;
static uint64_t layer_cost;

void harness_layer(int stage);
__attribute__((noinline)) void harness_layer(int stage)
{
    layers[stage] += machine_instructions() - outside - layer_begin - layer_cost;
    layer_begin = machine_instructions() - outside;
}

/* Makes a stage without instructions count as none. */
static void begin_layers(void)
{
    harness_layer(0);
    harness_layer(HARNESS_STAGES);
    layer_cost = layers[HARNESS_STAGES];
    layers[0] = 0;
    layer_begin = machine_instructions() - outside;
}
#else
#define begin_layers() ((void)0)
#endif

#ifdef HARNESS_MEASURE
/* Words of stack that are watched, and what they are painted with. */
#define STACK_WORDS (HARNESS_STACK_BYTES / 4)
#define PAINT 0xC3A55A3Cu

static uint64_t counts[2];

/* One inference: counts[0] are the instructions of the calls, counts[1] the bytes below the stack pointer of this
 * function that were written meanwhile, rounded up to what the stack pointer is a multiple of. Gives 0 when the stack was
 * too small to tell.
 */
static __attribute__((noinline)) int measure(void)
{
    const uintptr_t top = machine_stack_pointer();
    volatile uint32_t *const low = (volatile uint32_t *)(top - HARNESS_STACK_BYTES);
    uint64_t begin;
    uint64_t end;
    int k;
    for (k = 0; k < STACK_WORDS; ++k) {
        low[k] = PAINT;
    }
    begin = machine_instructions();
    counts[0] = machine_instructions() - begin;
    outside = 0;
    begin_layers();
    begin = machine_instructions();
    infer();
    end = machine_instructions();
    counts[0] = end - begin - outside - counts[0];
    for (k = 0; k < STACK_WORDS && low[k] == PAINT; ++k) {
    }
    counts[1] = ((uint64_t)(STACK_WORDS - k) * 4 + MACHINE_STACK_ALIGN - 1) / MACHINE_STACK_ALIGN * MACHINE_STACK_ALIGN;
    return k > 0;
}

static int write_counts(void)
{
    FILE *const file = fopen("counts.bin", "wb");
    if (file == NULL) {
        return 0;
    }
    fwrite(counts, sizeof counts, 1, file);
#ifdef HARNESS_LAYERS
    fwrite(layers, sizeof layers[0], HARNESS_STAGES, file);
#endif
    return fclose(file) == 0;
}
#endif

/* Whether the rows of some ports did not all come or go, one by one. */
static int lacking(struct rows *const *ports)
{
    for (; *ports != NULL; ++ports) {
        if ((*ports)->wrong || (*ports)->done != (*ports)->count) {
            return 1;
        }
    }
    return 0;
}

static void begin_rows(struct rows *const *ports)
{
    for (; *ports != NULL; ++ports) {
        (*ports)->done = (*ports)->wrong = 0;
    }
}

/* One inference from the inputs that were read; gives what is wrong with it. */
static int turn(uint32_t number)
{
    const struct block *block;
    int outside_after;
    garbage(&arenas[0], number);
    garbage(&arenas[1], number);
    for (block = outputs; block->room != NULL; ++block) {
        garbage(block, number);
    }
    place_inputs();
    begin_rows(asked_rows);
    begin_rows(given_rows);
#ifdef HARNESS_MEASURE
    if (!measure()) {
        return BAD_STACK;
    }
#else
    infer();
#endif
    outside_after = written_outside();
    if (outside_after) {
        return outside_after;
    }
    if (lacking(asked_rows)) {
        return BAD_ROWS;
    }
    return lacking(given_rows) ? BAD_GIVEN : 0;
}

static int run(FILE *in, FILE *out)
{
    const struct data *input;
    const struct block *block;
    uint32_t number;
    uint32_t turns;
    int wrong;
    if (fread(&turns, sizeof turns, 1, in) != 1) {
        return BAD_FILE;
    }
    for (number = 0; number < turns; ++number) {
        for (input = inputs; input->bytes != NULL; ++input) {
            if (fread(input->bytes, 1, input->size, in) != input->size) {
                return BAD_FILE;
            }
        }
        wrong = turn(number);
        if (wrong) {
            return wrong;
        }
        for (block = outputs; block->room != NULL; ++block) {
            fwrite(block->room + GUARD, 1, block->bytes, out);
        }
#ifdef HARNESS_TRACE
        record(-1, 0, 0);
#endif
    }
    return 0;
}

int main(void)
{
    FILE *const in = fopen("inputs.bin", "rb");
    FILE *const out = fopen("outputs.bin", "wb");
    int status;
    if (in == NULL || out == NULL) {
        return BAD_FILE;
    }
#ifdef HARNESS_TRACE
    traced = fopen("trace.bin", "wb");
    if (traced == NULL) {
        return BAD_FILE;
    }
#endif
    status = run(in, out);
    fclose(in);
    if (fclose(out) != 0) {
        status = status ? status : BAD_FILE;
    }
#ifdef HARNESS_TRACE
    if (fclose(traced) != 0) {
        status = status ? status : BAD_FILE;
    }
#endif
#ifdef HARNESS_MEASURE
    if (!write_counts()) {
        status = status ? status : BAD_FILE;
    }
#endif
    return status;
}
