/* Camera lines to rows of a network's input.
 *
 * A row is made in two steps, both in the memory that the network gives for it:
 *
 *   1. camera_rgb565_be, camera_rgb565_le, camera_rgb888 or camera_grey takes a line of the camera and writes the
 *      network's pixels: bytes 0..255, channel after channel, as many pixels as the network is wide.
 *   2. camera_quantise makes int8 of the bytes, camera_normalise floats, by a table of 256 entries that is made once. A
 *      network that takes uint8 pixels (--input-type uint8) takes the bytes as they are and needs no second step.
 *
 * All arithmetic on pixels is in integers; floats are used only to fill the tables. Nothing is allocated. C99; link the
 * C library's mathematics (-lm).
 *
 * Lines are scaled to the network's width by taking the nearest pixel. To cut out a part instead, pass a pointer to its
 * first pixel and its width; to keep the shape of things, cut a part out that has the shape of the network's image.
 */
#ifndef CAMERA_ROWS_H
#define CAMERA_ROWS_H

#include <math.h>
#include <stdint.h>

/* Which of `from_size` lines (or pixels of a line) is nearest to number `to` of `to_size`: that in which its middle
 * lies. It never falls as `to` rises. Sizes are positive and at most 16383, so that the product fits. */
static inline int camera_nearest(int to, int to_size, int from_size)
{
    return (2 * to + 1) * from_size / (2 * to_size);
}

/* One pixel of RGB565: red in the five highest bits. Each part is widened by repeating its highest bits, so that black
 * becomes 0 and white 255. */
static inline void camera_rgb565_pixel(unsigned word, uint8_t *pixel)
{
    const unsigned red = word >> 11 & 31u, green = word >> 5 & 63u, blue = word & 31u;
    pixel[0] = (uint8_t)(red << 3 | red >> 2);
    pixel[1] = (uint8_t)(green << 2 | green >> 4);
    pixel[2] = (uint8_t)(blue << 3 | blue >> 2);
}

/* RGB565, the byte with red first: what esp32-camera leaves in its frames with most sensors. */
static inline void camera_rgb565_be(const uint8_t *line, int line_width, uint8_t *pixels, int width)
{
    for (int x = 0; x < width; ++x) {
        const uint8_t *const from = line + 2 * camera_nearest(x, width, line_width);
        camera_rgb565_pixel((unsigned)from[0] << 8 | from[1], pixels + 3 * x);
    }
}

/* RGB565, the byte with blue first: 16-bit words as the ESP32 stores them. */
static inline void camera_rgb565_le(const uint8_t *line, int line_width, uint8_t *pixels, int width)
{
    for (int x = 0; x < width; ++x) {
        const uint8_t *const from = line + 2 * camera_nearest(x, width, line_width);
        camera_rgb565_pixel((unsigned)from[1] << 8 | from[0], pixels + 3 * x);
    }
}

/* Three bytes a pixel, in the order in which the network wants them. */
static inline void camera_rgb888(const uint8_t *line, int line_width, uint8_t *pixels, int width)
{
    for (int x = 0; x < width; ++x) {
        const uint8_t *const from = line + 3 * camera_nearest(x, width, line_width);
        pixels[3 * x] = from[0];
        pixels[3 * x + 1] = from[1];
        pixels[3 * x + 2] = from[2];
    }
}

/* One byte a pixel, for a network with one channel. */
static inline void camera_grey(const uint8_t *line, int line_width, uint8_t *pixels, int width)
{
    for (int x = 0; x < width; ++x) {
        pixels[x] = line[camera_nearest(x, width, line_width)];
    }
}

/* Fills a table for camera_normalise: pixel p stands for (p - mean) / deviation, as the network was trained. */
static inline void camera_table_f32(float table[256], float mean, float deviation)
{
    for (int p = 0; p < 256; ++p) {
        table[p] = ((float)p - mean) / deviation;
    }
}

/* Fills a table for camera_quantise. `scale` and `zero_point` are the macros <NAME>_INPUT_SCALE and
 * <NAME>_INPUT_ZERO_POINT of the generated header. Divides in float32 and rounds ties to even, as tinyc and ONNX do. */
static inline void camera_table_i8(int8_t table[256], float mean, float deviation, float scale, int zero_point)
{
    for (int p = 0; p < 256; ++p) {
        const float real = ((float)p - mean) / deviation;
        const float integer = rintf(real / scale) + (float)zero_point;
        table[p] = (int8_t)(integer < -128.0f ? -128.0f : integer > 127.0f ? 127.0f : integer);
    }
}

/* Makes int8 of the bytes in `row`, in place. There are `count` tables, one after the other, and element k is converted
 * by number k % count: one table for all channels, or one for each. `elements` is a multiple of `count`. */
static inline void camera_quantise(const int8_t *tables, int count, int8_t *row, int elements)
{
    const uint8_t *const pixels = (const uint8_t *)row;
    for (int k = 0; k < elements; k += count) {
        for (int c = 0; c < count; ++c) {
            row[k + c] = tables[256 * c + pixels[k + c]];
        }
    }
}

/* Where the bytes of a row of floats go before camera_normalise: into its last quarter, which is read before it is
 * overwritten. */
static inline uint8_t *camera_float_pixels(float *row, int elements)
{
    return (uint8_t *)row + 3 * elements;
}

/* The same as camera_quantise with floats, of the bytes at camera_float_pixels(row, elements). */
static inline void camera_normalise(const float *tables, int count, float *row, int elements)
{
    const uint8_t *const pixels = camera_float_pixels(row, elements);
    for (int k = 0; k < elements; k += count) {
        for (int c = 0; c < count; ++c) {
            row[k + c] = tables[256 * c + pixels[k + c]];
        }
    }
}

#endif /* CAMERA_ROWS_H */
