/* The few names of FreeRTOS, as ESP-IDF has it, that the second core is driven by. stubs/freertos.c has them on threads. */
#ifndef STUB_FREERTOS_H
#define STUB_FREERTOS_H

#include <stdint.h>

typedef int BaseType_t;
typedef unsigned int UBaseType_t;
typedef uint32_t TickType_t;
typedef uint8_t StackType_t;

#define pdFALSE ((BaseType_t)0)
#define pdTRUE ((BaseType_t)1)
#define portMAX_DELAY ((TickType_t)0xffffffffu)
#ifndef portNUM_PROCESSORS
#define portNUM_PROCESSORS 2
#endif

/* The originals are as opaque, and of about this size. */
typedef struct {
    void *opaque[32];
} StaticTask_t;

typedef struct {
    void *opaque[16];
} StaticSemaphore_t;

BaseType_t xPortGetCoreID(void);

#endif
