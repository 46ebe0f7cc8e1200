"""Cameras in examples: how their lines become rows of a network, by camera_rows.h, and how one is started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from tinyc.backends.c import CPort, PixelScale
from tinyc.backends.c.literals import literal
from tinyc.ir.types import DType

HEADER = "camera_rows.h"

PINS = ("pwdn", "reset", "xclk", "sccb_sda", "sccb_scl", *(f"d{k}" for k in range(7, -1, -1)), "vsync", "href", "pclk")
"""The pins in `camera_config_t` of esp32-camera, without the `pin_` before each."""


@dataclass(frozen=True)
class Board:
    """A board with a camera that esp32-camera drives: its name, and the numbers of its pins in the order of `PINS`."""

    name: str
    pins: tuple[int, ...]


BOARDS: Mapping[str, Board] = MappingProxyType(
    {
        "esp32": Board("AI-Thinker ESP32-CAM", (32, -1, 0, 26, 27, 35, 34, 39, 36, 21, 19, 18, 5, 25, 23, 22)),
        "esp32s3": Board("ESP32-S3-EYE", (-1, -1, 15, 4, 5, 16, 17, 18, 12, 10, 8, 9, 11, 6, 7, 13)),
    }
)
"""A board for each chip that has one, by the chip's name in ESP-IDF. The pins are those in arduino-esp32's
camera_pins.h."""


@dataclass(frozen=True)
class Pixels:
    """How pixels become what an input takes.

    Attributes:
        port: the input.
        table: the definition of the table of its values; empty where it takes pixels as they are.
        fill: statements that fill the table.
        pixels: the definition of where a converter writes the pixels of `row`, if that is not `row`.
        to: what it is called.
        convert: the statement that makes values of them; empty for none.
    """

    port: CPort
    table: str = ""
    fill: tuple[str, ...] = ()
    pixels: str = ""
    to: str = "row"
    convert: str = ""

    def next_row(self, camera: bool) -> Iterator[str]:
        """The function that the network asks for a row, of a camera's frame or of the test picture."""
        port, grey = self.port, self.port.type.shape[3] == 1
        size = ("(int)frame->width", "(int)frame->height") if camera else ("CAMERA_WIDTH", "CAMERA_HEIGHT")
        yield "/* The network asks for row y: 0, 1, ... in order, each once. */"
        yield f"static void next_row(void *user, int y, {port.c_type} *row)"
        yield "{"
        if camera:
            yield "    const camera_fb_t *const frame = (const camera_fb_t *)user;"
        yield f"    const int line_width = {size[0]}, number = camera_nearest(y, {port.macro}_HEIGHT, {size[1]});"
        if camera:
            yield f"    const uint8_t *const line = frame->buf + (size_t)number * {'' if grey else '2 * '}frame->width;"
        else:
            yield "    const uint8_t *const line = camera_line(number);"
            yield "    (void)user;"
        if self.pixels:
            yield f"    {self.pixels}"
        yield f"    camera_{'grey' if grey else 'rgb565_be'}(line, line_width, {self.to}, {port.macro}_WIDTH);"
        if self.convert:
            yield f"    {self.convert}"
        yield "}"


def pixels_of(port: CPort, trained: PixelScale) -> Pixels | None:
    """How pixels become what a port takes, or None if camera_rows.h cannot make that. `trained` is what pixels stand
    for."""
    if port.type.rank != 4 or port.type.shape[3] not in (1, 3) or (trained.blue_first and port.type.shape[3] == 3):
        return None
    count = len(trained.pairs)
    if count not in (1, port.type.shape[3]):
        return None
    elements, size = f"{port.macro}_WIDTH * {port.macro}_CHANNELS", 256 * count
    pairs = [tuple(literal(DType.F32, v) for v in pair) for pair in trained.pairs]
    if port.type.dtype is DType.U8:
        return Pixels(port)
    if port.type.dtype is DType.F32:
        return Pixels(
            port,
            f"static float table[{size}];",
            _filled(pairs, "camera_table_f32", ""),
            f"uint8_t *const pixels = camera_float_pixels(row, {elements});",
            "pixels",
            f"camera_normalise(table, {count}, row, {elements});",
        )
    if port.type.dtype is DType.I8 and port.scale is not None:
        return Pixels(
            port,
            f"static int8_t table[{size}];",
            _filled(pairs, "camera_table_i8", f", {port.macro}_SCALE, {port.macro}_ZERO_POINT"),
            "uint8_t *const pixels = (uint8_t *)row;",
            "pixels",
            f"camera_quantise(table, {count}, row, {elements});",
        )
    return None


def _filled(pairs: Sequence[tuple[str, ...]], function: str, more: str) -> tuple[str, ...]:
    """Statements that fill the table of all channels, or one after the other those of each."""
    lines = []
    for channel, (mean, deviation) in enumerate(pairs):
        of = f" of channel {channel}" if len(pairs) > 1 else ""
        lines.append(f"/* Pixel p{of} stands for (p - {mean}) / {deviation}: put what the network was trained with. */")
        at = f"table + {256 * channel}" if channel else "table"
        lines.append(f"{function}({at}, {mean}, {deviation}{more});")
    return tuple(lines)


def empty_rows(port: CPort) -> list[str]:
    """The function that the network asks for rows, where these are no pixels."""
    return [
        f"/* The network asks for row y of {port.name}: 0, 1, ... in order, each once. Yours are not all zeros. */",
        f"static void {port.callback}(void *user, int y, {port.c_type} *row)",
        "{",
        "    (void)user;",
        "    (void)y;",
        f"    memset(row, 0, {port.row_elements} * sizeof *row);",
        "}",
    ]


def test_picture(port: CPort) -> list[str]:
    """A function that gives the lines of a picture as a camera does."""
    grey = port.type.shape[3] == 1
    if grey:
        size, pixel = "CAMERA_WIDTH", ["line[x] = (uint8_t)(x * y);"]
    else:
        size = "2 * CAMERA_WIDTH"
        pixel = [
            "const unsigned red = (unsigned)x * 31u / (CAMERA_WIDTH - 1u);",
            "const unsigned green = (unsigned)y * 63u / (CAMERA_HEIGHT - 1u);",
            "const unsigned word = red << 11 | green << 5 | ((unsigned)(x * y) & 31u);",
            "line[2 * x] = (uint8_t)(word >> 8);",
            "line[2 * x + 1] = (uint8_t)(word & 255u);",
        ]
    return [
        f"/* Line y of a test picture, {'grey' if grey else 'RGB565, high byte first'}: it stands for a camera. */",
        "#define CAMERA_WIDTH 160",
        "#define CAMERA_HEIGHT 120",
        "",
        "static const uint8_t *camera_line(int y)",
        "{",
        f"    static uint8_t line[{size}];",
        "    for (int x = 0; x < CAMERA_WIDTH; ++x) {",
        *(f"        {text}" for text in pixel),
        "    }",
        "    return line;",
        "}",
    ]


def start_camera(board: Board, port: CPort) -> list[str]:
    """The function that starts the camera of a board."""
    form = "PIXFORMAT_GRAYSCALE" if port.type.shape[3] == 1 else "PIXFORMAT_RGB565"
    return [
        f"/* Starts the camera with the pins of {board.name}; put those of your board. */",
        "static esp_err_t start_camera(void)",
        "{",
        "    camera_config_t config;",
        "    memset(&config, 0, sizeof config);",
        *(f"    config.pin_{name} = {pin};" for name, pin in zip(PINS, board.pins, strict=True)),
        "    config.xclk_freq_hz = 20000000;",
        f"    config.pixel_format = {form};",
        "    config.frame_size = FRAMESIZE_QQVGA; /* 160 x 120 */",
        "    config.fb_count = 1;",
        "    config.fb_location = CAMERA_FB_IN_DRAM;",
        "    return esp_camera_init(&config);",
        "}",
    ]
