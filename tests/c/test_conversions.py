"""The conversions of the generated header: bit for bit what quantize and dequantize mean."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.c.support import BUILDS, STRICT, lowered, need
from tests.c.test_borders import SPECIAL, corners, scales
from tinyc.backends.c import CSource, Interface, PixelScale, PortDescription, generate
from tinyc.backends.c.conversions import SHIFT, affine, of_pixels
from tinyc.ir import expr
from tinyc.ir.module import Builder
from tinyc.ir.op import Value
from tinyc.ir.ops import Dequantize, Neg, Quantize
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

USED = """#include "net.h"
void from_float(const float *x, int8_t *out, int n) { for (int k = 0; k < n; ++k) out[k] = NET_INPUT_FROM_FLOAT(x[k]); }
void from_pixel(int8_t *out) { for (int k = 0; k < 256; ++k) out[k] = NET_INPUT_FROM_PIXEL((uint8_t)k); }
void to_float(const int8_t *x, float *out) { for (int k = 0; k < 256; ++k) out[k] = NET_OUTPUT_TO_FLOAT(x[k]); }
"""
PIXELS = [(0.0, 255.0), (127.5, 127.5), (33.3285, 78.5655), (0.0, 1.0), (118.3, 57.0)]
EVERY = np.arange(-128, 128).astype(np.int8)


def network(scale: float, zero: int, pixels: tuple[float, float] | None = (0.0, 255.0)) -> CSource:
    """A network with an input and an output of this scale."""
    b = Builder("m")
    x = b.input("x", TensorType((1, 4, 4, 3), DType.I8))
    port = (PortDescription("x", "", (scale, zero), pixels and PixelScale((pixels,))),)
    interface = Interface(port, (PortDescription("y", "", (scale, zero)),))
    return generate(lowered(b.build([b.add(Neg(x))])), name="net", interface=interface)


def library(folder: Path, source: CSource, compiler: str = "gcc", *flags: str) -> ctypes.CDLL:
    """The macros as functions."""
    folder.mkdir(exist_ok=True)
    (folder / "net.h").write_text(source.files["net.h"])
    (folder / "used.c").write_text(USED)
    command = [compiler, "-std=c99", *(flags or STRICT), "-fPIC", "-c", "used.c", "-o", "used.o"]
    subprocess.run(command, cwd=folder, check=True)
    # Linked without these options: -ffast-math would have all of this process compute without subnormal numbers.
    subprocess.run([compiler, "-shared", "used.o", "-o", "used.so", "-lm"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "used.so"))


def called(function: object, x: Array | None, out: Array, *more: int) -> Array:
    """What a function writes to `out`."""
    given = [] if x is None else [ctypes.c_void_p(x.ctypes.data)]
    function(*given, ctypes.c_void_p(out.ctypes.data), *more)  # type: ignore[operator]
    return out


def quantised(scale: float, zero: int, x: Array) -> Array:
    op = Quantize(Value("x", TensorType(x.shape, DType.F32)), scale, zero)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        return expr.evaluate(op.expression(), [x])


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("build", ["gcc", "clang"])
def test_they_are_exact(tmp_path: Path, build: str, fast: bool) -> None:
    """Whatever the compiler is told of floats: the conversion of a float is made of integers."""
    need(build)
    compiler, _ = BUILDS[build]
    for k, (scale, pixels) in enumerate(zip(scales(2), [*PIXELS, *PIXELS[:6]], strict=False)):
        zero = (-128, 127, 0, 5)[k % 4]
        flags = ("-O3", "-ffast-math") if fast else (*STRICT, "-O2")
        made = library(tmp_path / str(k), network(scale, zero, pixels), compiler, *flags)
        x = corners(scale)
        got = called(made.from_float, x, np.zeros(x.size, np.int8), x.size)
        np.testing.assert_array_equal(got, quantised(scale, zero, x))
        real = (np.arange(256).astype(np.float32) - np.float32(pixels[0])) / np.float32(pixels[1])
        wanted = quantised(scale, zero, real)
        np.testing.assert_array_equal(called(made.from_pixel, None, np.zeros(256, np.int8)), wanted)
        if not fast:
            op = Dequantize(Value("q", TensorType((256,), DType.I8)), (scale,), (zero,))
            given = called(made.to_float, EVERY, np.zeros(256, np.float32))
            np.testing.assert_array_equal(given, expr.evaluate(op.expression(), [EVERY]))


def test_a_scale_that_the_integer_form_is_not_for(tmp_path: Path) -> None:
    source = network(3e38, 3, None)
    assert "rintf" in source.files["net.h"]
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "net.h").write_text(source.files["net.h"])
    text = USED.replace(USED.splitlines()[2] + "\n", "")
    (tmp_path / "net" / "used.c").write_text(text)
    flags = ["-std=c99", *STRICT, "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, "used.c", "-o", "used.so", "-lm"], cwd=tmp_path / "net", check=True)
    x = np.array(SPECIAL, np.float32)
    made = ctypes.CDLL(str(tmp_path / "net" / "used.so"))
    got = called(made.from_float, x, np.zeros(x.size, np.int8), x.size)
    np.testing.assert_array_equal(got, quantised(3e38, 3, x))


def test_pixels_by_a_product_where_it_is_exact() -> None:
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(300):
        scale, zero = float(np.float32(rng.uniform(0.002, 0.02))), int(rng.integers(-128, 128))
        table = of_pixels((scale, zero), (float(rng.uniform(0, 128)), 255.0))
        pair = affine(table)
        if pair is not None:
            found += 1
            products = np.arange(256, dtype=np.uint64) * np.uint64(pair[0]) + np.uint64(pair[1])
            assert products.max() < 2**32
            np.testing.assert_array_equal((products >> np.uint64(SHIFT)).astype(np.int64) - 128, table)
    assert found > 10
    ties = of_pixels((2.0, 0), (0.0, 1.0))  # 0, 0, 1, 2, 2, 2, 3, 4: no line rounds so
    assert affine(ties) is None
    assert "integers[256]" in network(2.0, 0, (0.0, 1.0)).files["net.h"]
    assert "(int8_t)(pixel - 128)" in network(float(np.float32(1 / 255)), -128).files["net.h"]


def test_what_is_no_image_has_no_pixels() -> None:
    header = network(0.1, 3, None).files["net.h"]
    assert "PIXEL" not in header
    assert "NET_INPUT_FROM_FLOAT" in header


def test_cplusplus_may_include_them(tmp_path: Path) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    (tmp_path / "net.h").write_text(network(0.1, 3).files["net.h"])
    body = "return NET_INPUT_FROM_FLOAT(0.5f) + NET_INPUT_FROM_PIXEL(1) + (int)NET_OUTPUT_TO_FLOAT(3);"
    (tmp_path / "main.cpp").write_text(f'#include "net.h"\n#include "net.h"\nint main() {{ {body} }}\n')
    flags = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror", "-fsyntax-only"]
    subprocess.run(["g++", *flags, "main.cpp"], cwd=tmp_path, check=True)
