/* What a port has to do, with layers that know who computed them. Exit status 0, or the line where it does not. */
#include <pthread.h>
#include <stddef.h>

#include "net.h"

#include "net_cores.h"

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            return __LINE__ & 127 ? __LINE__ & 127 : 1; \
        } \
    } while (0)

enum { ROUNDS = 3000, CALLERS = 3, WORK = 50 };

/* A layer: each part writes its own results and reads what both wrote in the round before. */
struct layer {
    unsigned *before, *after;
    pthread_t *by;
};

static void compute(const void *context, int part)
{
    const struct layer *const layer = context;
    for (int k = 0; k < WORK; ++k) {
        layer->after[part * WORK + k] = layer->before[(1 - part) * WORK + k] + (unsigned)part + 1;
    }
    layer->by[part] = pthread_self();
}

/* Many layers one after another; what is wrong, or 0. `others` counts the parts that another thread computed. */
static int rounds(int *others)
{
    unsigned values[2][2 * WORK] = {{0}};
    unsigned want[2] = {0, 0};
    for (int round = 0; round < ROUNDS; ++round) {
        pthread_t by[2];
        const struct layer layer = {values[round % 2], values[1 - round % 2], by};
        const unsigned first = want[1] + 1, second = want[0] + 2;
        net_cores_run(compute, &layer);
        want[0] = first;
        want[1] = second;
        for (int k = 0; k < 2 * WORK; ++k) {
            CHECK(layer.after[k] == want[k / WORK]);
        }
        CHECK(pthread_equal(by[0], pthread_self()));
        *others += !pthread_equal(by[1], pthread_self());
    }
    return 0;
}

static void *caller(void *result)
{
    int others = 0;
    *(int *)result = rounds(&others);
    return NULL;
}

int main(void)
{
    int others = 0, results[CALLERS];
    pthread_t callers[CALLERS];
    CHECK(rounds(&others) == 0);
    CHECK(others == 0); /* not started: the caller does all */
    CHECK(net_cores_start() == TWO_CORES);
    CHECK(net_cores_start() == TWO_CORES);
    CHECK(rounds(&others) == 0);
    CHECK(others == (TWO_CORES ? ROUNDS : 0)); /* started: the other one does each second part */
    for (int k = 0; k < CALLERS; ++k) {
        CHECK(pthread_create(&callers[k], NULL, caller, &results[k]) == 0);
    }
    for (int k = 0; k < CALLERS; ++k) {
        CHECK(pthread_join(callers[k], NULL) == 0);
        CHECK(results[k] == 0);
    }
    return 0;
}
