"""What the header says of ports that are integers: what they stand for, and exact conversions from and to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tinyc.backends.c.borders import fits, quantize_literals
from tinyc.backends.c.calls import wrapped
from tinyc.backends.c.cameras import pixel_macro
from tinyc.backends.c.library import Kernels
from tinyc.backends.c.literals import C_TYPES, literal, rows
from tinyc.backends.c.source import CPort, PixelScale
from tinyc.ir import expr
from tinyc.ir.op import Value
from tinyc.ir.ops.quantise import Quantize
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

RESERVED = ("float_to_{}", "pixel_to_{}")
"""Functions of an input."""
KERNEL = "quantize_bits"
SHIFT = 16
"""Pixels become integers by a multiplier of so many fractional bits, where that gives all 256 of them."""


def scale_macros(port: CPort) -> Iterator[str]:
    """What the integers of a port stand for."""
    if port.scale is None:
        yield from _channel_scales(port)
        return
    scale, zero = port.scale
    yield f"/* real value = {port.macro}_SCALE * (integer - {port.macro}_ZERO_POINT) */"
    yield f"#define {port.macro}_SCALE {literal(DType.F32, scale)}"
    yield f"#define {port.macro}_ZERO_POINT {int(zero) if zero == int(zero) else literal(DType.F32, zero)}"


def _channel_scales(port: CPort) -> Iterator[str]:
    """The same where channels of pixels differ."""
    if port.pixels is None or port.type.dtype is not DType.U8:
        return
    yield f"/* of channel c: real value = {port.macro}_SCALE_c * (integer - {port.macro}_ZERO_POINT_c) */"
    for channel, (mean, deviation) in enumerate(port.pixels.pairs):
        yield f"#define {port.macro}_SCALE_{channel} {literal(DType.F32, 1.0 / deviation)}"
        yield f"#define {port.macro}_ZERO_POINT_{channel} {literal(DType.F32, mean)}"


def conversion_macros(name: str, inputs: Sequence[CPort], outputs: Sequence[CPort]) -> Iterator[str]:
    """The macros that convert: to what inputs take, and from what outputs are."""
    for port in inputs:
        if _quantised(port):
            yield "/* The integer for a float, exactly as the network would round it: to the nearest, ties to even. */"
            yield f"#define {port.macro}_FROM_FLOAT(x) {name}_float_to_{port.name}(x)"
        if port.pixels is not None:
            yield from _pixel_macros(name, port, port.pixels)
    for port in outputs:
        if port.scale is not None:
            difference = f"(float)((integer) - {port.macro}_ZERO_POINT)"
            yield "/* The real number that an element stands for. */"
            yield f"#define {port.macro}_TO_FLOAT(integer) ({difference} * {port.macro}_SCALE)"


def _pixel_macros(name: str, port: CPort, pixels: PixelScale) -> Iterator[str]:
    """The macros for pixels: one for each channel where integers differ."""
    if port.scale is None:
        yield "/* A pixel 0 to 255 is taken as it is. */"
        yield f"#define {pixel_macro(port, 0)}(pixel) ((uint8_t)(pixel))"
        return
    for channel, (mean, deviation) in enumerate(pixels.pairs):
        what = f"channel {channel} of a pixel" if len(pixels.pairs) > 1 else "a pixel"
        yield f"/* The same for {what} 0 to 255, which stands for (pixel - {mean:g}) / {deviation:g}. */"
        function = f"{name}_pixel_to_{port.name}{_number(port, channel)}"
        call = f"{function}((uint8_t)(pixel))" if _quantised(port) else "((uint8_t)(pixel))"
        yield f"#define {pixel_macro(port, channel)}(pixel) {call}"


def conversion_functions(name: str, inputs: Sequence[CPort]) -> Iterator[str]:
    """The functions that these macros call."""
    ports = [p for p in inputs if _quantised(p)]
    if any(map(_by_bits, ports)):
        yield from (*_kernel(name), "")
    for port in ports:
        yield from (*_from_float(name, port), "")
        for channel in range(len(port.pixels.pairs) if port.pixels is not None else 0):
            yield from (*_from_pixel(name, port, channel), "")


def conversion_headers(inputs: Sequence[CPort]) -> list[str]:
    """What these functions include."""
    ports = [_by_bits(p) for p in inputs if _quantised(p)]
    return ["#include <math.h>"] * (not all(ports)) + ["#include <string.h>"] * any(ports)


def _quantised(port: CPort) -> bool:
    """Whether a port takes the int8 or int16 that a quantize would give."""
    return port.scale is not None and port.type.dtype in (DType.I8, DType.I16)


def _by_bits(port: CPort) -> bool:
    """Whether its floats are converted in integer arithmetic, which int8 is small enough for."""
    return port.scale is not None and port.type.dtype is DType.I8 and fits(port.scale[0])


def _kernel(name: str) -> list[str]:
    """tinyc_quantize_bits under a name of the network's own: two networks may be of two versions of tinyc."""
    kernels = Kernels()
    kernels.use(KERNEL)
    _, _, text = kernels.text().partition("/* The integer nearest")
    text = f"/* The integer nearest{text}".replace("TINYC_INLINE", "static inline")
    return text.replace(f"tinyc_{KERNEL}", f"{name}_{KERNEL}").rstrip().splitlines()


def _from_float(name: str, port: CPort) -> list[str]:
    assert port.scale is not None
    scale, zero = port.scale
    element, (least, most) = C_TYPES[port.type.dtype], port.type.dtype.limits
    lines = [f"static inline {element} {name}_float_to_{port.name}(float x)", "{"]
    if _by_bits(port):
        values = ["bits", *(f"/*{k}=*/{v}" for k, v in quantize_literals(scale, int(zero), DType.I8))]
        call = wrapped(f"    return (int8_t){name}_{KERNEL}(", values, ");").rstrip("\n")
        return [*lines, "    uint32_t bits;", "    memcpy(&bits, &x, sizeof bits);", *call.split("\n"), "}"]
    nearest = f"rintf(x / {port.macro}_SCALE) + (float){port.macro}_ZERO_POINT"
    limited = f"({element})(n != n ? 0.0f : n < {least}.0f ? {least}.0f : n > {most}.0f ? {most}.0f : n)"
    return [*lines, f"    const float n = {nearest};", f"    return {limited};", "}"]


def _number(port: CPort, channel: int) -> str:
    """What names of a channel end in, where channels differ."""
    return f"_{channel}" if port.pixels is not None and len(port.pixels.pairs) > 1 else ""


def _from_pixel(name: str, port: CPort, channel: int) -> list[str]:
    assert port.scale is not None
    assert port.pixels is not None
    dtype = port.type.dtype
    table = of_pixels(port.scale, port.pixels.of(channel), dtype)
    head = f"static inline {C_TYPES[dtype]} {name}_pixel_to_{port.name}{_number(port, channel)}(uint8_t pixel)"
    lines = [head, "{"]
    found = affine(table) if dtype is DType.I8 else None
    if dtype is DType.I8 and np.array_equal(table, np.arange(-128, 128)):
        return [*lines, "    return (int8_t)(pixel - 128);", "}"]
    if found is not None:
        factor, offset = found
        return [*lines, f"    return (int8_t)((int)((pixel * {factor}U + {offset}U) >> {SHIFT}) - 128);", "}"]
    listed = (f"    {line}" for line in rows(table).rstrip("\n").split("\n"))
    head = f"    static const {C_TYPES[dtype]} integers[256] = {{"
    return [*lines, head, *listed, "    };", "    return integers[pixel];", "}"]


def of_pixels(scale: tuple[float, float], pixels: tuple[float, float], dtype: DType = DType.I8) -> Array:
    """What the network's own quantize gives for each of the pixels 0 to 255, normalised in float32."""
    mean, deviation = pixels
    real = (np.arange(256, dtype=np.float32) - np.float32(mean)) / np.float32(deviation)
    return _evaluated(scale[0], int(scale[1]), real, dtype)


def affine(table: Array) -> tuple[int, int] | None:
    """A factor and an offset with (pixel * factor + offset) >> SHIFT = table[pixel] + 128 for all pixels; None if there
    are none."""
    high = table.astype(np.int64) + 128
    factor = round(float(high[255] - high[0]) / 255 * 2**SHIFT)
    if factor < 0:
        return None
    products = np.arange(256, dtype=np.int64) * factor
    low = int(((high << SHIFT) - products).max())
    above = int((((high + 1) << SHIFT) - products).min())
    offset = (low + above) // 2
    return (factor, offset) if 0 <= low < above and low <= offset < above else None


def _evaluated(scale: float, zero: int, real: Array, dtype: DType) -> Array:
    op = Quantize(Value("x", TensorType(real.shape, DType.F32)), scale, zero, dtype)
    return expr.evaluate(op.expression(), [real])
