/* Runs the network on lines of a camera that are never held as an image: once with the network asking for its rows,
 * once with the camera handing them over. Both give the same numbers.
 *
 *     camera_demo              on a synthetic camera of 160 x 120 pixels, RGB565
 *     camera_demo image.ppm    on a picture (binary PPM, 8 bits, RGB888), read line by line
 *
 * Exit status: 0 if both agree, 1 if not, 2 for a picture that cannot be read.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "camera_net.h"
#include "camera_rows.h"

/* The network's image, and how it was trained to see it: pixel p stands for (p - MEAN) / DEVIATION. */
enum { WIDTH = 96, HEIGHT = 96, CHANNELS = 3 };
#define MEAN 0.0f
#define DEVIATION 255.0f
typedef char image_is_the_networks[WIDTH * HEIGHT * CHANNELS == CAMERA_NET_INPUT_SIZE ? 1 : -1];

enum { MOST_PIXELS = 4096 };

/* A camera: it gives line number y. `file` is a picture whose first line begins at `start`, or NULL. `table` makes
 * int8 of pixels. */
typedef struct {
    FILE *file;
    long start;
    int width, height;
    int8_t table[256];
} camera;

static unsigned char arena[CAMERA_NET_ARENA_BYTES] __attribute__((aligned(CAMERA_NET_ARENA_ALIGN)));

static void fail(const char *message)
{
    fprintf(stderr, "camera_demo: %s\n", message);
    exit(2);
}

/* Line y as the camera sends it: RGB888 from a picture, else RGB565, high byte first. */
static void read_line(const camera *from, int y, uint8_t *line)
{
    if (from->file) {
        const size_t bytes = 3u * (size_t)from->width;
        if (fseek(from->file, from->start + (long)bytes * y, SEEK_SET) || fread(line, 1, bytes, from->file) != bytes) {
            fail("the picture ends too early");
        }
        return;
    }
    for (int x = 0; x < from->width; ++x) {
        const int red = x * 31 / (from->width - 1), green = y * 63 / (from->height - 1), blue = (x * y) & 31;
        const unsigned word = (unsigned)(red << 11 | green << 5 | blue);
        line[2 * x] = (uint8_t)(word >> 8);
        line[2 * x + 1] = (uint8_t)(word & 255u);
    }
}

/* A line of the camera as a row of the network's input. */
static void convert(const camera *from, const uint8_t *line, int8_t *row)
{
    uint8_t *const pixels = (uint8_t *)row;
    if (from->file) {
        camera_rgb888(line, from->width, pixels, WIDTH);
    } else {
        camera_rgb565_be(line, from->width, pixels, WIDTH);
    }
    camera_quantise(from->table, 1, row, WIDTH * CHANNELS);
}

/* The network asks for row y: 0, 1, ... in order, each once. */
static void next_row(void *user, int y, int8_t *row)
{
    static uint8_t line[3 * MOST_PIXELS];
    const camera *const from = (const camera *)user;
    read_line(from, camera_nearest(y, HEIGHT, from->height), line);
    convert(from, line, row);
}

/* The camera owns the loop: it goes through all its lines, and each is used for no row, for one, or for several. */
static void push(const camera *from, int8_t *output)
{
    static uint8_t line[3 * MOST_PIXELS];
    int8_t row[WIDTH * CHANNELS];
    int y = 0;
    for (int number = 0; number < from->height; ++number) {
        read_line(from, number, line);
        for (; y < HEIGHT && camera_nearest(y, HEIGHT, from->height) == number; ++y) {
            convert(from, line, row);
            camera_net_push_row(arena, y, row);
        }
    }
    camera_net_finish(arena, output);
}

static camera open_camera(const char *path)
{
    camera made = {NULL, 0, 160, 120, {0}};
    camera_table_i8(made.table, MEAN, DEVIATION, CAMERA_NET_INPUT_SCALE, CAMERA_NET_INPUT_ZERO_POINT);
    if (path) {
        int most = 0;
        made.file = fopen(path, "rb");
        if (!made.file || fscanf(made.file, "P6 %d %d %d", &made.width, &made.height, &most) != 3 || most != 255) {
            fail("not a binary PPM file of 8 bits without comments");
        }
        if (made.width < 1 || made.width > MOST_PIXELS || made.height < 1 || made.height > MOST_PIXELS) {
            fail("the picture is too large");
        }
        made.start = ftell(made.file) + 1; /* one white space follows the largest value */
    }
    return made;
}

static void print(const char *name, const int8_t *output)
{
    printf("%s", name);
    for (int k = 0; k < CAMERA_NET_OUTPUT_SIZE; ++k) {
        printf(" %.9g", (double)CAMERA_NET_OUTPUT_TO_FLOAT(output[k]));
    }
    printf("\n");
}

int main(int count, char **arguments)
{
    int8_t asked[CAMERA_NET_OUTPUT_SIZE], pushed[CAMERA_NET_OUTPUT_SIZE];
    camera from = open_camera(count > 1 ? arguments[1] : NULL);

    camera_net_run(arena, next_row, &from, asked);
    push(&from, pushed);

    print("callback", asked);
    print("push    ", pushed);
    const int same = memcmp(asked, pushed, sizeof asked) == 0;
    printf(same ? "equal\n" : "NOT EQUAL\n");
    if (from.file) {
        fclose(from.file);
    }
    return same ? 0 : 1;
}
