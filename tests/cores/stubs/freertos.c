/* The stub of FreeRTOS on POSIX threads, so that the code for its tasks runs, and is watched, on a PC. It is as strict as
 * the original: a semaphore begins empty and holds one, a task waits for its own notifications, and it asserts what the
 * original takes for granted.
 */
#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#include "freertos/FreeRTOS.h"
#include "freertos/semphr.h"
#include "freertos/task.h"

/* What can be waited for: a count and its lock. */
struct counted {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t count;
};

struct stub_semaphore {
    struct counted held;
};

struct stub_task {
    struct counted notified;
    TaskFunction_t code;
    void *parameter;
};

static _Thread_local struct stub_task *current;

static void begin(struct counted *c)
{
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    c->count = 0;
}

static BaseType_t give(struct counted *c, uint32_t most)
{
    int room;
    pthread_mutex_lock(&c->lock);
    room = c->count < most;
    c->count += room ? 1 : 0;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return room ? pdTRUE : pdFALSE;
}

static uint32_t take(struct counted *c, TickType_t ticks)
{
    uint32_t found;
    assert(ticks == 0 || ticks == portMAX_DELAY);
    pthread_mutex_lock(&c->lock);
    while (c->count == 0 && ticks != 0) {
        pthread_cond_wait(&c->changed, &c->lock);
    }
    found = c->count;
    c->count = 0;
    pthread_mutex_unlock(&c->lock);
    return found;
}

static void *enter(void *task)
{
    current = task;
    current->code(current->parameter);
    abort(); /* a task must not return */
}

TaskHandle_t xTaskCreateStaticPinnedToCore(TaskFunction_t code, const char *name, uint32_t stack_bytes, void *parameter,
                                           UBaseType_t priority, StackType_t *stack, StaticTask_t *task, BaseType_t core)
{
    struct stub_task *const made = (struct stub_task *)(void *)task;
    pthread_t thread;
    _Static_assert(sizeof(struct stub_task) <= sizeof(StaticTask_t), "room for a task");
    assert(name != NULL && stack != NULL && stack_bytes >= 768 && priority == 5);
    assert(core == 1); /* the other one */
    begin(&made->notified);
    made->code = code;
    made->parameter = parameter;
    assert(pthread_create(&thread, NULL, enter, made) == 0);
    pthread_detach(thread);
    return made;
}

UBaseType_t uxTaskPriorityGet(TaskHandle_t task)
{
    assert(task == NULL);
    return 5;
}

BaseType_t xPortGetCoreID(void)
{
    return 0;
}

BaseType_t xTaskNotifyGive(TaskHandle_t task)
{
    (void)give(&task->notified, UINT32_MAX);
    return pdTRUE;
}

uint32_t ulTaskNotifyTake(BaseType_t clear, TickType_t ticks)
{
    assert(clear == pdTRUE);
    assert(current != NULL); /* the notifications of the tasks of others are theirs */
    return take(&current->notified, ticks);
}

SemaphoreHandle_t xSemaphoreCreateBinaryStatic(StaticSemaphore_t *memory)
{
    struct stub_semaphore *const made = (struct stub_semaphore *)(void *)memory;
    _Static_assert(sizeof(struct stub_semaphore) <= sizeof(StaticSemaphore_t), "room for a semaphore");
    begin(&made->held);
    return made;
}

BaseType_t xSemaphoreTake(SemaphoreHandle_t semaphore, TickType_t ticks)
{
    return take(&semaphore->held, ticks) != 0 ? pdTRUE : pdFALSE;
}

BaseType_t xSemaphoreGive(SemaphoreHandle_t semaphore)
{
    return give(&semaphore->held, 1);
}
