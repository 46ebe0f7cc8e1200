/* What the headers promise. The camera sees the test picture of the examples: they print the same with either. */
#include <stdio.h>
#include <stdlib.h>

#include "esp_camera.h"
#include "esp_heap_caps.h"
#include "esp_timer.h"
#include "freertos/task.h"

enum { WIDTH = 160, HEIGHT = 120 };

static uint8_t pixels[2 * WIDTH * HEIGHT];
static camera_fb_t frame = {pixels, sizeof pixels, WIDTH, HEIGHT, PIXFORMAT_RGB565};
static int taken;

int64_t esp_timer_get_time(void)
{
    return 0;
}

void *heap_caps_aligned_alloc(size_t alignment, size_t size, uint32_t caps)
{
    /* Without `aligned_alloc`: its size must be a multiple. The whole lives until the end. */
    static unsigned char *memory;
    free(memory);
    memory = caps == MALLOC_CAP_SPIRAM ? (unsigned char *)malloc(size + alignment) : NULL;
    return memory ? memory + (alignment - (uintptr_t)memory % alignment) : NULL;
}

esp_err_t esp_camera_init(const camera_config_t *config)
{
    const int grey = config->pixel_format == PIXFORMAT_GRAYSCALE;
    frame.format = config->pixel_format;
    for (int y = 0; y < HEIGHT; ++y) {
        for (int x = 0; x < WIDTH; ++x) {
            const unsigned red = (unsigned)x * 31u / (WIDTH - 1u), green = (unsigned)y * 63u / (HEIGHT - 1u);
            const unsigned word = red << 11 | green << 5 | ((unsigned)(x * y) & 31u);
            if (grey) {
                pixels[y * WIDTH + x] = (uint8_t)(x * y);
            } else {
                pixels[2 * (y * WIDTH + x)] = (uint8_t)(word >> 8);
                pixels[2 * (y * WIDTH + x) + 1] = (uint8_t)(word & 255u);
            }
        }
    }
    return config->xclk_freq_hz > 0 && config->fb_count > 0 ? ESP_OK : -1;
}

camera_fb_t *esp_camera_fb_get(void)
{
    return taken++ ? NULL : &frame;
}

void esp_camera_fb_return(camera_fb_t *given)
{
    taken -= given == &frame;
}

/* Programs that go on for ever end here. */
void vTaskDelay(TickType_t ticks)
{
    exit(ticks == 1 && taken == 0 ? 0 : 1);
}
