"""The camera example: its converters against numpy, and its program against the network that holds its image."""

from __future__ import annotations

import ctypes
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

import tinyc
from benchmarks.networks import Graph
from examples.camera_rows import demo
from tests.c.support import BUILDS, STRICT, need
from tinyc.backends.c import CSource
from tinyc.compiler.data.calibration import Normalise
from tinyc.compiler.lowering.quantised import as_integers
from tinyc.compiler.options import QuantiseOptions, RowsFrom
from tinyc.compiler.session import Compilation
from tinyc.ir.types import DType
from tinyc.passes.integerise import ScaledPort

Bytes = NDArray[np.uint8]
INLINE = """
#include "camera_rows.h"
int nearest(int to, int to_size, int from_size) { return camera_nearest(to, to_size, from_size); }
#define LINE(name) void name(const uint8_t *line, int line_width, uint8_t *pixels, int width) \\
    { camera_##name(line, line_width, pixels, width); }
LINE(rgb565_be)
LINE(rgb565_le)
LINE(rgb888)
LINE(grey)
void table_i8(int8_t *table, float mean, float deviation, float scale, int zero_point)
{
    camera_table_i8(table, mean, deviation, scale, zero_point);
}
void table_f32(float *table, float mean, float deviation) { camera_table_f32(table, mean, deviation); }
void quantise(const int8_t *tables, int count, int8_t *row, int n) { camera_quantise(tables, count, row, n); }
uint8_t *float_pixels(float *row, int n) { return camera_float_pixels(row, n); }
void normalise(const float *tables, int count, float *row, int n) { camera_normalise(tables, count, row, n); }
"""
DRIVER = """
#include "small.h"
#include "camera_rows.h"
#define WIDTH 20
#define ELEMENTS (WIDTH * 3)
static unsigned char arena[SMALL_ARENA_BYTES] __attribute__((aligned(SMALL_ARENA_ALIGN)));
typedef {type} element;
static void convert(const uint8_t *line, element *row)
{{
{convert}
}}
static void next_row(void *user, int y, element *row) {{ convert((const uint8_t *)user + y * ELEMENTS, row); }}
void asked(uint8_t *image, float *output) {{ small_run(arena, next_row, image, output); }}
void pushed(const uint8_t *image, float *output)
{{
    /* The first picture breaks off after seven rows. */
    for (int k = 0; k < 27; ++k) {{
        const int y = k < 7 ? k : k - 7;
        element row[ELEMENTS];
        convert(image + (k < 7 ? 19 - y : y) * ELEMENTS, row);
        small_push_row(arena, y, row);
    }}
    small_finish(arena, output);
}}
"""
MEAN, DEVIATION = 120.5, 61.25
CONVERT = {
    "uint8": "    camera_rgb888(line, WIDTH, row, WIDTH);",
    "int8": f"""    int8_t table[256];
    camera_table_i8(table, {MEAN}f, {DEVIATION}f, SMALL_INPUT_SCALE, SMALL_INPUT_ZERO_POINT);
    camera_rgb888(line, WIDTH, (uint8_t *)row, WIDTH);
    camera_quantise(table, 1, row, ELEMENTS);""",
    "float": f"""    float table[256];
    camera_table_f32(table, {MEAN}f, {DEVIATION}f);
    camera_rgb888(line, WIDTH, camera_float_pixels(row, ELEMENTS), WIDTH);
    camera_normalise(table, 1, row, ELEMENTS);""",
}


def library(folder: Path, text: str, source: CSource | None = None) -> ctypes.CDLL:
    """A text in C, and generated C with it, as a shared library."""
    need("gcc")
    files = {"driver.c": text, **(source.files if source else {})}
    for name, content in files.items():
        (folder / name).write_text(content, encoding="ascii")
    sources = [str(folder / name) for name in files if name.endswith(".c")]
    command = ["gcc", "-std=c99", "-O2", "-ffp-contract=off", *STRICT, "-shared", "-fPIC", f"-I{demo.HERE}"]
    subprocess.run([*command, *sources, "-lm", "-o", str(folder / "driver.so")], check=True)
    return ctypes.CDLL(str(folder / "driver.so"))


@pytest.fixture(scope="module")
def inline(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    made = library(tmp_path_factory.mktemp("inline"), INLINE)
    made.float_pixels.restype = ctypes.c_void_p
    return made


def pointer(array: NDArray[np.generic]) -> ctypes.c_void_p:
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


def line(function: object, given: Bytes, line_width: int, width: int, channels: int) -> Bytes:
    """A converted line; what follows it in memory must stay as it is."""
    out = np.full(width * channels + 8, 0xA5, np.uint8)
    function(pointer(given), line_width, pointer(out), width)  # type: ignore[operator]
    assert (out[width * channels :] == 0xA5).all()
    return out[: width * channels].reshape(width, channels)


@pytest.mark.parametrize(("name", "order"), [("rgb565_be", ">u2"), ("rgb565_le", "<u2")])
def test_all_rgb565_values(inline: ctypes.CDLL, name: str, order: str) -> None:
    words = np.arange(65536).astype(order).reshape(256, 256)
    found = np.stack([line(getattr(inline, name), row.view(np.uint8), 256, 256, 3) for row in words])
    value = words.astype(np.int64)
    # Exact widening rounds v * 255 / 31 and v * 255 / 63; repeating the highest bits does the same but for one step.
    exact = np.stack([(value >> 11) * 255 / 31, (value >> 5 & 63) * 255 / 63, (value & 31) * 255 / 31], axis=-1)
    red, green, blue = value >> 11, value >> 5 & 63, value & 31
    expected = np.stack([red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2], axis=-1)
    np.testing.assert_array_equal(found, expected)
    assert np.abs(found - exact).max() < 1
    assert found[0, 0].tolist() == [0, 0, 0]
    assert found[255, 255].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("line_width", "width"), [(1, 1), (256, 256), (160, 96), (320, 96), (96, 96), (7, 20), (97, 96)]
)
@pytest.mark.parametrize(("name", "channels"), [("grey", 1), ("rgb888", 3), ("rgb565_be", 3)])
def test_scaled_lines(inline: ctypes.CDLL, name: str, channels: int, line_width: int, width: int) -> None:
    size = 2 if name == "rgb565_be" else channels
    given = np.random.default_rng(line_width).integers(0, 256, line_width * size, np.uint8)
    whole = line(getattr(inline, name), given, line_width, line_width, channels)
    if name != "rgb565_be":
        np.testing.assert_array_equal(whole, given.reshape(line_width, channels))
    scaled = line(getattr(inline, name), given, line_width, width, channels)
    np.testing.assert_array_equal(scaled, demo.nearest(whole[None], 1, width)[0])


@pytest.mark.parametrize(
    ("to_size", "from_size"), [(96, 120), (96, 96), (96, 50), (1, 480), (16383, 16383), (97, 16383)]
)
def test_nearest_is_the_line_in_which_the_middle_lies(inline: ctypes.CDLL, to_size: int, from_size: int) -> None:
    found = [inline.nearest(to, to_size, from_size) for to in range(to_size)]
    assert found == [int(Fraction(2 * to + 1, 2 * to_size) * from_size) for to in range(to_size)]
    assert found == sorted(found)
    assert found[-1] < from_size


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 255.0), (127.5, 127.5), (0.0, 1.0), (123.68, 58.4)])
@pytest.mark.parametrize(("scale", "zero"), [(1 / 255, -128), (2 / 255, 0), (2 / 255, -1), (0.0186584, 5), (1.0, -128)])
def test_tables_are_what_tinyc_quantises_by(
    inline: ctypes.CDLL, mean: float, deviation: float, scale: float, zero: int
) -> None:
    table, reals = np.zeros(256, np.int8), np.zeros(256, np.float32)
    floats = [ctypes.c_float(v) for v in (mean, deviation, scale)]
    inline.table_i8(pointer(table), *floats, zero)
    inline.table_f32(pointer(reals), *floats[:2])
    real = (np.arange(256, dtype=np.float32) - np.float32(mean)) / np.float32(deviation)
    np.testing.assert_array_equal(reals, real)
    port = ScaledPort("image", DType.I8, float(np.float32(scale)), zero)
    np.testing.assert_array_equal(table, as_integers(port, real))


@pytest.mark.parametrize("tables", [1, 3])
def test_rows_are_converted_in_place(inline: ctypes.CDLL, tables: int) -> None:
    rng = np.random.default_rng(tables)
    elements = 288
    pixels = rng.integers(0, 256, elements, np.uint8)
    which = np.arange(elements) % tables
    small = rng.integers(-128, 128, (tables, 256)).astype(np.int8)
    row = pixels.view(np.int8).copy()
    inline.quantise(pointer(small), tables, pointer(row), elements)
    np.testing.assert_array_equal(row, small[which, pixels])

    large = rng.random((tables, 256), np.float32)
    floats = np.zeros(elements, np.float32)
    at = inline.float_pixels(pointer(floats), elements) - floats.ctypes.data
    assert at + elements == floats.nbytes
    floats.view(np.uint8)[at:] = pixels
    inline.normalise(pointer(large), tables, pointer(floats), elements)
    np.testing.assert_array_equal(floats, large[which, pixels])


def small_network(folder: Path) -> Path:
    """20x20x3: stem, depthwise, pointwise, head; so that it streams, in a second."""
    g = Graph("small", (1, 3, 20, 20))
    g.conv("stem", g.random(4, 3, 3, 3), g.random_bias(4), strides=[2, 2], pads=[0, 0, 1, 1])
    g.relu6("stem_relu")
    g.conv("dw", g.random(4, 1, 3, 3), pads=[1, 1, 1, 1], group=4)
    g.conv("pw", g.random(8, 4, 1, 1))
    g.add("GlobalAveragePool", "pool")
    g.add("Flatten", "flatten")
    g.add("Gemm", "dense", g.weight("dense_w", g.random(6, 8)), transB=1)
    onnx.save(g.model((1, 6)), folder / "small.onnx")
    return folder / "small.onnx"


@pytest.mark.parametrize("element", CONVERT)
def test_every_element_type(tmp_path: Path, element: str) -> None:
    model = small_network(tmp_path)
    rng = np.random.default_rng(3)
    image: Bytes = rng.integers(0, 256, (20, 20, 3), np.uint8)
    real = (image.astype(np.float32) - np.float32(MEAN)) / np.float32(DEVIATION)
    np.savez(tmp_path / "calibration.npz", image=real.transpose(2, 0, 1)[None])
    normalise = Normalise(MEAN, DEVIATION)

    def compiled(rows_from: RowsFrom) -> Compilation:
        quantise = None
        if element != "float":
            kinds: Any = {"input_type": element, "output_type": "float32"}
            quantise = QuantiseOptions(tmp_path / "calibration.npz", normalise=normalise, **kinds)
        return tinyc.compile(model, rows_from=rows_from, input_layout="nhwc", quantise=quantise, verify=False)

    held, streamed = compiled("arena"), compiled("callback")
    if element == "uint8":
        given = image
    else:
        given = as_integers(held.lowered.inputs[0] if held.lowered.inputs else None, real)
    (expected,) = tinyc.execute(held, "host", [[given[None]]])[0]
    c_type = "float" if element == "float" else f"{element}_t"
    made = library(tmp_path, DRIVER.format(type=c_type, convert=CONVERT[element]), streamed.source)

    def outputs(name: str, pixels: Bytes) -> NDArray[np.float32]:
        out = np.zeros(6, np.float32)
        getattr(made, name)(pointer(pixels), pointer(out))
        return out

    for name in ("asked", "pushed"):
        # One of the two sums the mean row by row: floats are then rounded otherwise, by some units of 1.2e-7 of numbers
        # of order one. Integers are the same.
        within = 2e-6 if element == "float" else 0
        np.testing.assert_allclose(outputs(name, image), expected[0], rtol=within, atol=within)
        # The network does look at its rows: another image gives other numbers.
        assert not np.array_equal(outputs(name, np.ascontiguousarray(image[::-1])), expected[0])


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Compilation]:
    """The folder of the demo's network, compiled for rows; and the form that holds its image."""
    need("gcc")
    folder = tmp_path_factory.mktemp("network")
    demo.write_network(folder)
    demo.compile_network(folder, "callback", verify=False)
    return folder, demo.compile_network(folder, "arena", verify=False)


@pytest.mark.parametrize("how", ["gcc", "clang", "gcc-sanitize"])
def test_callback_push_and_held_agree(network: tuple[Path, Compilation], how: str) -> None:
    need(how)
    folder, held = network
    compiler, flags = BUILDS[how]
    program = demo.build(folder, compiler, ("-std=c99", "-O2", *flags))
    rng = np.random.default_rng(7)
    frames = {"": demo.synthetic_frame()}
    for height, width in ((96, 96), (50, 61), (200, 150)):
        frames[str(folder / f"{height}.ppm")] = rng.integers(0, 256, (height, width, 3), np.uint8)
    seen = []
    for path, frame in frames.items():
        if path:
            Path(path).write_bytes(b"P6\n%d %d\n255\n" % (frame.shape[1], frame.shape[0]) + frame.tobytes())
        outputs = demo.run(program, *([path] if path else []))
        image = demo.quantised(demo.nearest(frame, demo.SIZE, demo.SIZE), held)
        (expected,) = held.lowered.real_outputs(tinyc.execute(held, "host", [[image[None]]])[0])
        for numbers in outputs.values():
            np.testing.assert_array_equal(numbers, expected[0])
        assert set(outputs) == {"callback", "push"}
        seen.append(expected.tobytes())
    assert len(set(seen)) == len(seen)


def test_a_picture_that_ends_too_early(network: tuple[Path, Compilation], tmp_path: Path) -> None:
    program = demo.build(network[0], "gcc")
    (tmp_path / "short.ppm").write_bytes(b"P6 20 20 255\n" + bytes(100))
    result = subprocess.run([str(program), str(tmp_path / "short.ppm")], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "ends too early" in result.stderr


def test_the_readme_has_the_figures_of_the_report(network: tuple[Path, Compilation]) -> None:
    folder, held = network
    text = (demo.HERE / "README.md").read_text(encoding="utf-8")
    streamed = demo.compile_network(folder, "callback", verify=False)
    for compilation in (held, streamed):
        assert f"{compilation.report['ram']['arena_bytes']:,}" in text
    assert streamed.report["ram"]["arena_bytes"] < held.report["ram"]["arena_bytes"]
