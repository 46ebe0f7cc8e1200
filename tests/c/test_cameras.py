"""Cameras' pixels in the generated header: held against their definition for every colour that a format has."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.c.support import BUILDS, STRICT, lowered, need
from tinyc.backends.c import CSource, Interface, PixelScale, PortDescription, generate
from tinyc.backends.c.conversions import of_pixels
from tinyc.ir.module import Builder
from tinyc.ir.ops import Cast, Neg
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

SCALE, ZERO = 0.018, -14
ONE = PixelScale(((118.3, 57.0),))
EACH = PixelScale(((123.675, 58.395), (116.28, 57.12), (103.53, 57.375)))
BLUE = PixelScale(EACH.pairs, blue_first=True)
FORMS = {"rgb888": 3, "bgr888": 3, "rgb565_be": 2, "rgb565_le": 2, "grey": 1}
HEIGHT, WIDTH = 256, 256
"""As many pixels as RGB565 has words."""


def network(dtype: DType, shape: tuple[int, ...], pixels: PixelScale | None, layout: str = "") -> CSource:
    """A network with an image of these pixels at its input."""
    b = Builder("m")
    x = b.input("x", TensorType(shape, dtype))
    y = b.add(Neg(b.add(Cast(x, DType.I8)) if dtype is DType.U8 else x))
    scale = (SCALE, ZERO) if dtype is DType.I8 else None
    if dtype is DType.U8 and pixels is not None and len(pixels.pairs) == 1:
        mean, deviation = pixels.pairs[0]
        scale = (1 / deviation, mean)
    port = (PortDescription("x", layout, scale, pixels),)
    return generate(lowered(b.build([y])), name="net", interface=Interface(port, (PortDescription("y"),)))


def library(folder: Path, source: CSource, compiler: str, *flags: str) -> ctypes.CDLL:
    """The macros as functions of whole images."""
    element = "uint8_t" if "uint8_t *to" in source.files["net.h"] else "int8_t"
    lines = ['#include "net.h"']
    for form, size in FORMS.items():
        given = "bytes[k]" if form == "grey" else f"bytes + {size} * k"
        call = f"NET_INPUT_FROM_{form.upper()}(to, k, {given})"
        lines.append(f"void {form}({element} *to, const uint8_t *bytes, int n);")
        lines.append(f"void {form}({element} *to, const uint8_t *bytes, int n)")
        lines.append(f"{{ for (int k = 0; k < n; ++k) {{ {call}; }} }}")
    (folder / "net.h").write_text(source.files["net.h"])
    (folder / "used.c").write_text("\n".join(lines) + "\n")
    command = [compiler, "-std=c99", *flags, "-fPIC", "-shared", "used.c", "-o", "used.so", "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "used.so"))


def colours(form: str) -> tuple[Array, Array]:
    """What a camera gives, and red, green and blue of it: all words of RGB565, random bytes else."""
    count = HEIGHT * WIDTH
    rng = np.random.default_rng(1)
    if form.startswith("rgb565"):
        word = np.arange(count)
        red, green, blue = word >> 11, word >> 5 & 63, word & 31
        rgb = np.stack([red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2], axis=1)
        order = (word >> 8, word & 255) if form.endswith("be") else (word & 255, word >> 8)
        return np.stack(order, axis=1).astype(np.uint8), rgb
    if form == "grey":
        grey = rng.integers(0, 256, count)
        return grey.astype(np.uint8), np.stack([grey] * 3, axis=1)
    given = rng.integers(0, 256, (count, 3)).astype(np.uint8)
    return given, (given if form == "rgb888" else given[:, ::-1]).astype(np.int64)


def defined(dtype: DType, rgb: Array, channels: int, pixels: PixelScale, form: str) -> Array:
    """The image's elements, [pixels, channels]."""
    if channels == 1:
        picture = Image.fromarray(rgb.astype(np.uint8).reshape(HEIGHT, WIDTH, 3)).convert("L")
        bytes_ = rgb[:, :1] if form == "grey" else np.asarray(picture).reshape(-1, 1)
    else:
        bytes_ = rgb[:, ::-1] if pixels.blue_first else rgb
    if dtype is DType.U8:
        return bytes_.astype(np.uint8)
    tables = [of_pixels((SCALE, ZERO), pixels.of(c)) for c in range(channels)]
    return np.stack([tables[c][bytes_[:, c]] for c in range(channels)], axis=1)


@pytest.mark.parametrize("build", ["gcc", "clang"])
@pytest.mark.parametrize("dtype", [DType.I8, DType.U8])
@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize(("channels", "pixels"), [(1, ONE), (3, ONE), (3, EACH), (3, BLUE)])
def test_every_colour(
    tmp_path: Path, build: str, dtype: DType, planes: bool, channels: int, pixels: PixelScale
) -> None:
    need(build)
    shape = (1, channels, HEIGHT, WIDTH) if planes else (1, HEIGHT, WIDTH, channels)
    layout = "" if planes else "NHWC: rows, columns, channels"
    made = library(tmp_path, network(dtype, shape, pixels, layout), BUILDS[build][0], *STRICT, "-O2")
    for form in FORMS:
        given, rgb = colours(form)
        out = np.zeros((channels, HEIGHT * WIDTH) if planes else (HEIGHT * WIDTH, channels), dtype.numpy)
        getattr(made, form)(ctypes.c_void_p(out.ctypes.data), ctypes.c_void_p(given.ctypes.data), HEIGHT * WIDTH)
        wanted = defined(dtype, rgb, channels, pixels, form)
        np.testing.assert_array_equal(out.T if planes else out, wanted, err_msg=form)


@pytest.mark.parametrize(
    ("dtype", "shape", "pixels"),
    [
        (DType.F32, (1, 3, 8, 8), None),
        (DType.I8, (1, 3, 8, 8), None),
        (DType.I8, (1, 4, 8, 8), ONE),
        (DType.I8, (2, 3, 8, 8), ONE),
        (DType.I8, (1, 3, 64), ONE),
        (DType.I8, (1, 1, 8, 8), EACH),
    ],
)
def test_what_is_no_image_has_none(dtype: DType, shape: tuple[int, ...], pixels: PixelScale | None) -> None:
    assert "RGB" not in network(dtype, shape, pixels).files["net.h"]


def test_cplusplus_may_include_them(tmp_path: Path) -> None:
    need("gcc")
    (tmp_path / "net.h").write_text(network(DType.I8, (1, 3, 8, 8), BLUE).files["net.h"])
    body = "NET_INPUT_FROM_RGB565_BE(to, 3, bytes); NET_INPUT_FROM_GREY(to, 3, 7); return to[3];"
    program = f'#include "net.h"\nint used(int8_t *to, const uint8_t *bytes) {{ {body} }}\n'
    (tmp_path / "main.cpp").write_text(program)
    flags = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror", "-fsyntax-only"]
    subprocess.run(["g++", *flags, "main.cpp"], cwd=tmp_path, check=True)
