/* The second core: a worker that computes the second parts of layers.
 *
 * Nobody waits in a circle. A caller who takes the worker waits for one thing, the part that it handed over. The worker
 * waits for nothing while it has a part, and parts call nothing that waits. Who finds the worker taken does not wait
 * for it, but computes both parts. There is one slot for a part: it is filled by who has taken the worker, and is empty
 * again before the worker is given back.
 *
 * The worker is the only state; nothing is allocated on the heap of FreeRTOS.
 */
#include "tinyc.h"

#include "tinyc_cores.h"

static void compute_both(tinyc_cores_part compute, const void *context)
{
    compute(context, 0);
    compute(context, 1);
}

#if defined(ESP_PLATFORM)

#include <stddef.h>

#include "freertos/FreeRTOS.h"
#include "freertos/semphr.h"
#include "freertos/task.h"

#if portNUM_PROCESSORS > 1

/* The worker's stack, in bytes. */
#ifndef TINYC_CORES_STACK_BYTES
#define TINYC_CORES_STACK_BYTES 4096
#endif

static StackType_t stack[TINYC_CORES_STACK_BYTES / sizeof(StackType_t)];
static StaticTask_t task;
static TaskHandle_t worker;

/* `idle` is there to be taken while nobody has the worker, `done` when the worker has computed its part. Semaphores
 * rather than notifications, since those of the calling task may be in use: only the worker's are known to be free.
 */
static StaticSemaphore_t idle_memory, done_memory;
static SemaphoreHandle_t idle, done;

static tinyc_cores_part slot_compute;
static const void *slot_context;

static void work(void *unused)
{
    (void)unused;
    for (;;) {
        if (ulTaskNotifyTake(pdTRUE, portMAX_DELAY) != 0) {
            slot_compute(slot_context, 1);
            (void)xSemaphoreGive(done);
        }
    }
}

int tinyc_cores_start(void)
{
    if (worker == NULL) {
        idle = xSemaphoreCreateBinaryStatic(&idle_memory);
        done = xSemaphoreCreateBinaryStatic(&done_memory);
        worker = xTaskCreateStaticPinnedToCore(work, "tinyc_cores", sizeof stack, NULL, uxTaskPriorityGet(NULL), stack,
                                               &task, 1 - xPortGetCoreID());
        if (worker != NULL) {
            (void)xSemaphoreGive(idle);
        }
    }
    return worker != NULL;
}

void tinyc_cores_run(tinyc_cores_part compute, const void *context)
{
    if (worker == NULL || xSemaphoreTake(idle, 0) != pdTRUE) {
        compute_both(compute, context);
        return;
    }
    slot_compute = compute;
    slot_context = context;
    (void)xTaskNotifyGive(worker);
    compute(context, 0);
    while (xSemaphoreTake(done, portMAX_DELAY) != pdTRUE) {
    }
    (void)xSemaphoreGive(idle);
}

#else
#define ONE_CORE
#endif

#elif defined(__unix__) || defined(__APPLE__)

#include <pthread.h>
#include <stddef.h>

/* How often to look at the slot before sleeping: waking a thread takes as long as a small layer. */
#ifndef TINYC_CORES_SPINS
#define TINYC_CORES_SPINS 100000
#endif

static int started;

/* Held by who has the worker. */
static pthread_mutex_t taken = PTHREAD_MUTEX_INITIALIZER;

/* The slot, which is full from when a part is handed over until it is computed. The worker waits while it is empty, and
 * who has the worker while it is full: never both.
 */
static pthread_mutex_t slot = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int full;
static tinyc_cores_part slot_compute;
static const void *slot_context;

static void change_to(int state)
{
    (void)pthread_mutex_lock(&slot);
    __atomic_store_n(&full, state, __ATOMIC_RELEASE);
    (void)pthread_cond_signal(&changed);
    (void)pthread_mutex_unlock(&slot);
}

static void wait_for(int state)
{
    for (long k = 0; k < TINYC_CORES_SPINS; ++k) {
        if (__atomic_load_n(&full, __ATOMIC_ACQUIRE) == state) {
            return;
        }
    }
    (void)pthread_mutex_lock(&slot);
    while (full != state) {
        (void)pthread_cond_wait(&changed, &slot);
    }
    (void)pthread_mutex_unlock(&slot);
}

static void *work(void *unused)
{
    for (;;) {
        wait_for(1);
        slot_compute(slot_context, 1);
        change_to(0);
    }
    return unused;
}

int tinyc_cores_start(void)
{
    pthread_t worker;
    if (!started && pthread_create(&worker, NULL, work, NULL) == 0) {
        (void)pthread_detach(worker);
        started = 1;
    }
    return started;
}

void tinyc_cores_run(tinyc_cores_part compute, const void *context)
{
    if (!started || pthread_mutex_trylock(&taken) != 0) {
        compute_both(compute, context);
        return;
    }
    slot_compute = compute;
    slot_context = context;
    change_to(1);
    compute(context, 0);
    wait_for(0);
    (void)pthread_mutex_unlock(&taken);
}

#else
#define ONE_CORE
#endif

#ifdef ONE_CORE

int tinyc_cores_start(void)
{
    return 0;
}

void tinyc_cores_run(tinyc_cores_part compute, const void *context)
{
    compute_both(compute, context);
}

#endif
