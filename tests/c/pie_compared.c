/* Compares the vector instructions with their twins on random and extreme data. */
#include "net.h"

#define BOTH(name, ...)                                                                                                \
    void real_##name(__VA_ARGS__);                                                                                     \
    void twin_##name(__VA_ARGS__);
BOTH(dots, int32_t *, const int32_t *, const int8_t *, const int8_t *, int, int, int)
BOTH(narrow, int8_t *, const int32_t *, const int16_t *, const int16_t *, int)
BOTH(narrow_lanes, int8_t *, const int32_t *, const int16_t *, const int16_t *, int)
BOTH(taps, int32_t *, const int8_t *, const int8_t *, const int8_t *, const int8_t *, int, int)
BOTH(store, int8_t *, const int8_t *, int)
BOTH(copy, int8_t *, const int8_t *, int)
BOTH(total, int32_t *, const int8_t *, int, int, int)
BOTH(totals, int32_t *)
BOTH(most, int8_t *, const int8_t *, int, int, int)
BOTH(patch, int32_t *, const int8_t *, const int8_t *, int, int)
BOTH(add, int8_t *, const int8_t *, const int8_t *, const int16_t *, int, int)

#define A16 __attribute__((aligned(16)))
#define SIZE 4096
static int8_t x[SIZE] A16, w[SIZE] A16, to[2][SIZE] A16;
static int32_t from[64] A16, sums[2][64] A16;
static int16_t f[64] A16, c[72] A16;
static uint32_t seed = 7;

static uint32_t any(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static int below(int n)
{
    return (int)(any() % (uint32_t)n);
}

static void fill(int8_t *p, int n, int round)
{
    static const int8_t extremes[] = {-128, 127, -127, 0, 1, -1};
    for (int k = 0; k < n; ++k) {
        p[k] = round % 4 == 1 ? -128 : round % 4 == 2 ? 127 : round % 4 == 3 ? extremes[any() % 6] : (int8_t)any();
    }
}

enum { DOTS, NARROW, NARROW_LANES, TAPS, STORE, COPY, ADD, PATCH, TOTAL, TOTALS, MOST, BEYOND };

/* Which of them differ; the rest of the bytes stay 0. */
static int8_t *differ;

static void compare(int which, const void *a, const void *b, int bytes)
{
    if (memcmp(a, b, (size_t)bytes) != 0) {
        differ[which] = 1;
    }
}

static int32_t sum_of(int round)
{
    static const int32_t extremes[] = {0, 1, -1, 32767, 32768, -32768, -32769, 65535, 65536, (1 << 29) - 1, -(1 << 29) + 1};
    return round % 3 == 0 ? extremes[any() % 11] : (int32_t)(any() << 8) >> (3 + below(24));
}

static void factors(int16_t *low, int16_t *high, int round)
{
    const int32_t all = round % 5 == 0 ? 0x3fffbfff : (int32_t)(any() % 0x400000u) << below(8);
    const int32_t part = ((all + 0x4000) & 0x7fff) - 0x4000;
    *low = (int16_t)(part * 2);
    *high = (int16_t)((all - part) >> 15);
}

static void constants(void)
{
    const int high = below(256) - 128, low = below(high + 129) - 128, zero = below(256) - 128;
    for (int k = 0; k < 8; ++k) {
        c[k] = -32768;
        c[8 + k] = 16384;
        c[16 + k] = (int16_t)(4 * zero + 2);
        c[24 + k] = (int16_t)low;
        c[32 + k] = (int16_t)high;
    }
}

void net_run(void *arena, const int8_t *input, int8_t *output)
{
    (void)arena;
    (void)input;
    memset(output, 0, NET_OUTPUT_BYTES);
    differ = output;
    for (int round = 0; round < 2000; ++round) {
        const int count = 1 + below(16), vectors = 1 + below(7), elements = 16 * vectors - below(16);
        const int8_t *at = x + 64 + below(32);
        fill(x, SIZE, round);
        fill(w, SIZE, round / 4);
        for (int k = 0; k < 32; ++k) {
            from[2 * k] = 0x40008000 + below(1 << 20) - (1 << 19);
        }
        /* Weights behind the elements are zero. */
        for (int k = 0; k < count; ++k) {
            memset(w + 16 * vectors * k + elements, 0, (size_t)(16 * vectors - elements));
        }
        real_dots(sums[0], from, at, w, vectors, elements, count);
        twin_dots(sums[1], from, at, w, vectors, elements, count);
        compare(DOTS, sums[0], sums[1], 8 * count);

        constants();
        for (int k = 0; k < 16; ++k) {
            sums[0][2 * k] = (int32_t)(0x40008000u + (uint32_t)sum_of(round + k));
            factors(f + k / 8 * 16 + k % 8, f + k / 8 * 16 + 8 + k % 8, round + k);
        }
        real_narrow(to[0], sums[0], f, c, count);
        twin_narrow(to[1], sums[0], f, c, count);
        compare(NARROW, to[0], to[1], count);

        for (int k = 0; k < 16; ++k) {
            const int32_t bias = sum_of(round + 2 * k) / 64 + 0x8000;
            int16_t *const of = f + k / 8 * 32;
            sums[0][k] = below(1 << 20) - (1 << 19);
            memcpy(of + k % 8 * 2, &bias, 4);
            factors(of + 16 + k % 8, of + 24 + k % 8, round + k);
        }
        real_narrow_lanes(to[0], sums[0], f, c, count);
        twin_narrow_lanes(to[1], sums[0], f, c, count);
        compare(NARROW_LANES, to[0], to[1], count);

        for (int k = 0; k < 9 * 16; ++k) {
            w[k] = k % 16 < count ? w[k] : 0;
        }
        const int step = 1 + below(70);
        const int8_t *const middle = at + 300 + below(16), *const bottom = at + 600 + below(16);
        real_taps(sums[0], at, middle, bottom, w, step, count);
        twin_taps(sums[1], at, middle, bottom, w, step, count);
        compare(TAPS, sums[0], sums[1], 4 * count);

        {
            const int taps = 1 + below(31);
            real_patch(sums[0], x + 64, w, taps, count);
            twin_patch(sums[1], x + 64, w, taps, count);
            compare(PATCH, sums[0], sums[1], 4 * count);
        }
        memset(sums, 0, sizeof sums);
        memset(to, -128, 16);
        memset(to[1], -128, 16);
        for (int k = below(4); k >= 0; --k) {
            const int pixels = 1 + below(50), apart = 1 + below(40);
            real_total(sums[0], at + k, apart, pixels, count);
            twin_total(sums[1], at + k, apart, pixels, count);
            real_most(to[0], at + k, apart, pixels, count);
            twin_most(to[1], at + k, apart, pixels, count);
        }
        real_totals(sums[0]);
        twin_totals(sums[1]);
        compare(TOTAL, sums[0], sums[1], 4 * count);
        compare(MOST, to[0], to[1], count);
        {
            const int places = 8 + below(16);
            const int32_t values[] = {256, below(65536) - 32768, below(256), below(256), below(16000), below(16000),
                                      below(30000) - 15000};
            for (int k = 0; k < 72; ++k) {
                c[k] = (int16_t)(k < 56 ? values[k / 8] : k < 64 ? -100 : 100);
            }
            real_add(to[0], at, middle + 1000, c, places, count);
            twin_add(to[1], at, middle + 1000, c, places, count);
            compare(ADD, to[0], to[1], count);
        }
        memset(to, 99, sizeof to);
        {
            const int offset = below(3) ? below(32) : 16;
            real_store(to[0] + offset, x, count);
            twin_store(to[1] + offset, x, count);
        }
        compare(STORE, to[0], to[1], SIZE);
        {
            const int n = 1 + below(300);
            real_copy(to[0], at, n);
            twin_copy(to[1], at, n);
            compare(COPY, to[0], to[1], n);
            compare(BEYOND, to[0] + (n + 15) / 16 * 16, to[1] + (n + 15) / 16 * 16, SIZE - (n + 15) / 16 * 16);
        }
    }
}
