"""What the header has of cameras: one pixel, in the formats that they give, to the elements of an input that are its
channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tinyc.backends.c.source import CPort
from tinyc.ir.types import DType

RESERVED = ("rgb_to_{}", "rgb888_to_{}", "bgr888_to_{}", "rgb565_to_{}", "grey_to_{}")
"""Functions of an input."""
LUMA = (19595, 38470, 7471)
"""Parts of red, green and blue in grey, of 65536: ITU-R BT.601, as Pillow makes it of an image file."""


def channels_of(port: CPort) -> tuple[int, int] | None:
    """How many channels an image has, and by how many elements they are apart; None for what is no image of pixels."""
    if port.pixels is None or port.type.dtype not in (DType.I8, DType.U8):
        return None
    if port.type.rank != 4 or port.type.shape[0] != 1:
        return None
    _, first, height, last = port.type.shape
    by_pixel = port.layout.startswith("NHWC") or port.place == "rows" or port.calls > 0
    if first in (1, 3) and not by_pixel:
        channels, apart = first, height * last
    elif last in (1, 3):
        channels, apart = last, 1
    else:
        return None
    return (channels, apart) if len(port.pixels.pairs) in (1, channels) else None


def camera_macros(name: str, inputs: Sequence[CPort]) -> Iterator[str]:
    """The macros that convert a pixel."""
    for port in inputs:
        if channels_of(port) is None:
            continue
        where = "a row" if port.place == "rows" else "the image, row by row"
        forms = (
            ("RGB888(to, k, bytes)", f"rgb888_to_{port.name}(to, k, bytes)"),
            ("BGR888(to, k, bytes)", f"bgr888_to_{port.name}(to, k, bytes)"),
            ("RGB565_BE(to, k, bytes)", f"rgb565_to_{port.name}(to, k, bytes, 0)"),
            ("RGB565_LE(to, k, bytes)", f"rgb565_to_{port.name}(to, k, bytes, 1)"),
            ("GREY(to, k, grey)", f"grey_to_{port.name}(to, k, (uint8_t)(grey))"),
        )
        yield f"/* Pixel k of {where}, in `to`, from that of a camera: three bytes; two, of which the first has"
        yield " * red (BE, as esp32-camera gives them) or blue (LE); or grey. */"
        for macro, call in forms:
            yield f"#define {port.macro}_FROM_{macro} {name}_{call}"


def camera_functions(name: str, inputs: Sequence[CPort]) -> Iterator[str]:
    """The functions that these macros call."""
    for port in inputs:
        found = channels_of(port)
        if found is not None:
            yield from (*_from_colours(name, port, *found), "")
            yield from (*_from_bytes(name, port, "rgb888", (0, 1, 2)), "")
            yield from (*_from_bytes(name, port, "bgr888", (2, 1, 0)), "")
            yield from (*_from_word(name, port), "")
            yield from (*_from_grey(name, port, *found), "")


def pixel_macro(port: CPort, channel: int) -> str:
    """The macro that converts one channel of a pixel."""
    several = port.pixels is not None and len(port.pixels.pairs) > 1 and port.type.dtype is DType.I8
    return f"{port.macro}_FROM_PIXEL_{channel}" if several else f"{port.macro}_FROM_PIXEL"


def _head(name: str, port: CPort, what: str, parameters: str) -> list[str]:
    return [f"static inline void {name}_{what}_to_{port.name}({port.c_type} *to, int k, {parameters})", "{"]


def _at(channel: int, channels: int, apart: int) -> str:
    """The place of a channel of pixel k."""
    if channels == 1:
        return "to[k]"
    first = "k" if apart > 1 else f"{channels} * k"
    return f"to[{first} + {channel * apart}]" if channel else f"to[{first}]"


def _from_colours(name: str, port: CPort, channels: int, apart: int) -> list[str]:
    lines = _head(name, port, "rgb", "uint8_t red, uint8_t green, uint8_t blue")
    if channels == 1:
        parts = " + ".join(f"{part}U * {colour}" for part, colour in zip(LUMA, ("red", "green", "blue"), strict=True))
        lines.append(f"    const uint8_t grey = (uint8_t)(({parts} + 32768U) >> 16);")
        return [*lines, f"    to[k] = {pixel_macro(port, 0)}(grey);", "}"]
    colours = ["red", "green", "blue"]
    if port.pixels is not None and port.pixels.blue_first:
        colours.reverse()
    for channel, colour in enumerate(colours):
        lines.append(f"    {_at(channel, channels, apart)} = {pixel_macro(port, channel)}({colour});")
    return [*lines, "}"]


def _from_bytes(name: str, port: CPort, form: str, order: tuple[int, int, int]) -> list[str]:
    values = ", ".join(f"bytes[{k}]" for k in order)
    return [
        *_head(name, port, form, "const uint8_t *bytes"),
        f"    {name}_rgb_to_{port.name}(to, k, {values});",
        "}",
    ]


def _from_word(name: str, port: CPort) -> list[str]:
    """Each colour's highest bits are repeated below it, so that black becomes 0 and white 255."""
    return [
        *_head(name, port, "rgb565", "const uint8_t *bytes, int first"),
        "    const unsigned high = bytes[first], low = bytes[1 - first];",
        "    const unsigned red = high >> 3, green = (high << 3 | low >> 5) & 63U, blue = low & 31U;",
        f"    {name}_rgb_to_{port.name}(to, k, (uint8_t)(red << 3 | red >> 2), (uint8_t)(green << 2 | green >> 4),",
        f"    {' ' * len(f'{name}_rgb_to_{port.name}(')}(uint8_t)(blue << 3 | blue >> 2));",
        "}",
    ]


def _from_grey(name: str, port: CPort, channels: int, apart: int) -> list[str]:
    lines = _head(name, port, "grey", "uint8_t grey")
    for channel in range(channels):
        lines.append(f"    {_at(channel, channels, apart)} = {pixel_macro(port, channel)}(grey);")
    return [*lines, "}"]
