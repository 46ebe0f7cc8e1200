/* The same on an ESP32 with ESP-IDF and the component esp32-camera. A sketch: it has not been compiled with ESP-IDF or
 * run on a board here. Fill in your board's pins.
 *
 * esp32-camera has no callback for lines: it gives whole frames. So the frame is held after all, but as the camera sent
 * it, in PSRAM if you like, and the network reads it there line by line; what is saved is the converted image (27,648
 * bytes of 96 x 96 x 3), and the frame can be larger than the network's image. A driver that does hand out lines (SPI
 * cameras with a FIFO, an I2S or LCD_CAM driver of your own, a JPEG decoder's rows) calls camera_net_push_row as
 * on_line does below, and then no image is held anywhere. Call it from a task, not from the interrupt: with most rows
 * several layers compute one, and that takes its time.
 */
#include <stdint.h>
#include <stdio.h>

#include "esp_camera.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#include "camera_net.h"
#include "camera_rows.h"

enum { WIDTH = 96, HEIGHT = 96, CHANNELS = 3 };

static unsigned char arena[CAMERA_NET_ARENA_BYTES] __attribute__((aligned(CAMERA_NET_ARENA_ALIGN)));
static int8_t table[256];

/* esp32-camera: the network asks, the frame is read where it lies. */
static void next_row(void *user, int y, int8_t *row)
{
    const camera_fb_t *const frame = (const camera_fb_t *)user;
    const uint8_t *const line = frame->buf + 2 * frame->width * (size_t)camera_nearest(y, HEIGHT, (int)frame->height);
    camera_rgb565_be(line, (int)frame->width, (uint8_t *)row, WIDTH);
    camera_quantise(table, 1, row, WIDTH * CHANNELS);
}

/* A driver of lines: call this for each, numbered from 0, and camera_net_finish(arena, output) after the last. */
void on_line(const uint8_t *line, int number, int line_width, int lines)
{
    static int y;
    int8_t row[WIDTH * CHANNELS];
    if (number == 0) {
        y = 0;
    }
    for (; y < HEIGHT && camera_nearest(y, HEIGHT, lines) == number; ++y) {
        camera_rgb565_be(line, line_width, (uint8_t *)row, WIDTH);
        camera_quantise(table, 1, row, WIDTH * CHANNELS);
        camera_net_push_row(arena, y, row);
    }
}

void app_main(void)
{
    camera_config_t config = {
        /* .pin_xclk = ..., .pin_pclk = ..., and the other pins of your board */
        .xclk_freq_hz = 20000000,
        .pixel_format = PIXFORMAT_RGB565,
        .frame_size = FRAMESIZE_QQVGA, /* 160 x 120 */
        .fb_count = 1,
    };
    int8_t output[CAMERA_NET_OUTPUT_SIZE];

    camera_table_i8(table, 0.0f, 255.0f, CAMERA_NET_INPUT_SCALE, CAMERA_NET_INPUT_ZERO_POINT);
    if (esp_camera_init(&config) != ESP_OK) {
        printf("no camera\n");
        return;
    }
    for (;;) {
        camera_fb_t *const frame = esp_camera_fb_get();
        if (frame) {
            camera_net_run(arena, next_row, frame, output);
            esp_camera_fb_return(frame);
            for (int k = 0; k < CAMERA_NET_OUTPUT_SIZE; ++k) {
                printf("%g ", (double)CAMERA_NET_OUTPUT_TO_FLOAT(output[k]));
            }
            printf("\n");
        }
        vTaskDelay(pdMS_TO_TICKS(10));
    }
}
