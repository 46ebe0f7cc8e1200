"""Integer layers by MAC16 (`mac16.h`): bit for bit what the interpreter computes, by the instructions and their twins.

The twins run everywhere, in C that is sanitised; the instructions where there is a simulator of a core that has them.
"""

from __future__ import annotations

import ctypes
import dataclasses
import itertools
import subprocess
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest

from tests.c.quantised import Maker, int8
from tests.c.support import BUILDS, lowered, need, with_words
from tests.passes.stream.support import planned
from tests.passes.test_spare import mobile
from tests.rows import Integers
from tests.rows import lowered as lowered_to_rows
from tests.runners.support import images, network, simulator
from tests.runners.test_simulator import exact
from tests.sampling import some
from tinyc.backends.c import generate
from tinyc.backends.c.library import FOLDER, Kernels
from tinyc.backends.c.mac16 import NARROW, STACK, Room, is_mac16, room, wanted, words_of_weights
from tinyc.backends.c.tuning import Optimize, Tuning
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner
from tinyc.ir import IRError, Value, fixed_point, ops
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array
from tinyc.passes.rows.spare import UseSpareMemory
from tinyc.passes.stream import Stream

TUNING = Tuning(tile=2, paired_tile=1, mac16=True)
CHANNELS = (*range(1, 41), 48, 64, 96, 128)
LAYERS = 15
SERIES = list(range(140))
"""Programs of random layers: more than 2,000 of these."""
CORES = ("esp32", "esp32s3")
CHEAP = ("gcc-functions", "clang-sanitize", "clang-functions", "gcc-sanitize")
OPTIMIZE: tuple[Optimize, ...] = ("balanced", "speed", "size")


def random_layer(maker: Maker, x: Value) -> Value:
    """Any of those that may be computed so. Raises `IRError` for one whose window is larger than x."""
    outputs, kind = int(maker.rng.choice(CHANNELS)), maker.rng.integers(5)
    corner = "once" if maker.rng.random() < 0.4 else None
    if kind == 0:
        return maker.dense(x, corner, outputs=outputs)
    if kind == 1:
        return maker.conv(x, corner, kernel=(1, 1), groups=1, outputs=outputs, strides=(1, 1), pads=(0, 0, 0, 0))
    if kind == 2:
        return maker.conv(x, corner, groups=1, outputs=int(maker.rng.integers(1, 10)))
    return maker.depthwise3x3(x) if kind == 3 else maker.depthwise(x, corner, kernel=(3, 3), each=1)


def random_program(seed: int, count: int = LAYERS) -> tuple[RowProgram, list[Array]]:
    """So many layers, each with an input of its own."""
    maker, found = Maker(np.random.default_rng([16, seed])), list[Value]()
    for made in range(1, count + 1):
        rows, columns = (int(n) for n in maker.rng.integers(1, [5, 24]))
        x = maker.input((1, rows, columns, int(maker.rng.choice(CHANNELS))))
        while len(found) < made:
            with suppress(IRError):
                found.append(random_layer(maker, x))
    return lowered(maker.builder.build(found)), maker.arrays


def compare(program: RowProgram, arrays: list[Array], tuning: Tuning, build: str) -> None:
    """On this computer, by the twins."""
    need(build)
    cc, flags = BUILDS[build]
    (got,) = HostRunner(generate(program, name="cases", tuning=tuning), cc=cc, flags=flags).run([arrays])
    same(program, arrays, got)


def same(program: RowProgram, arrays: list[Array], got: list[Array]) -> None:
    """Raises where results are not those of the interpreter."""
    for value, g, w in zip(program.outputs, got, run_program(program, arrays), strict=True):
        np.testing.assert_array_equal(g, w, err_msg=f"{value}")


@pytest.mark.parametrize("seed", some(SERIES, 8))
def test_random_layers(seed: int) -> None:
    """With as much memory as they can use, and with none but the stack."""
    program, arrays = random_program(seed)
    build = CHEAP[seed // 2 % 4]
    # What is for the least code has parts that only other layers use, of which clang warns.
    tuning = dataclasses.replace(TUNING, optimize=OPTIMIZE[seed % (3 if build.startswith("gcc") else 2)])
    compare(with_words(program, tuning), arrays, tuning, build)
    compare(program, arrays, tuning, build)


def test_random_layers_are_of_all_kinds() -> None:
    text = ""
    for seed in some(SERIES, 8):
        program, _ = random_program(seed)
        assert sum(is_mac16(program, s, TUNING) for s in program.stages) > LAYERS / 4
        text += generate(with_words(program, TUNING), name="cases", tuning=TUNING).files["cases.c"]
    for kernel in ("pointwise", "conv2d", "depthwise3x3"):
        assert f"tinyc_qmac16_{kernel}_i8(" in text
    for value in ("/*wide=*/0", "/*wide=*/1", "/*stride=*/2", *(f"/*form=*/{form}" for form in range(4))):
        assert value in text


@pytest.mark.simulator
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("seed", some(SERIES, 4))
def test_random_layers_by_the_instructions(seed: int, core: str) -> None:
    program, arrays = random_program(seed)
    program = with_words(program, TUNING) if seed % 2 else program
    (got,) = simulator(generate(program, name="cases", tuning=TUNING), core).run([arrays])
    same(program, arrays, got)


@pytest.mark.simulator
@pytest.mark.parametrize("core", CORES)
def test_the_instructions_are_there(core: str) -> None:
    """Fewer of them than of the twin."""
    program, arrays = random_program(1, 4)
    source = generate(with_words(program, TUNING), name="cases", tuning=TUNING)
    twin = simulator(source, core, flags=("-DTINYC_EMULATE",)).measure(arrays)
    assert simulator(source, core).measure(arrays).instructions < 0.6 * twin.instructions


ALONE = """
static uint32_t state = 7;
static uint32_t next_word(void)
{
    static const uint32_t corners[] = {0x8000, 0x7fff, 0xffff, 0, 1, 0x8001};
    state = state * 1664525u + 1013904223u;
    return state >> 29 ? state >> 3 ^ state << 13 : corners[(state >> 16) % 6] << 16 | corners[(state >> 8) % 6];
}
/* Words of two. */
static int16_t x[80] __attribute__((aligned(4))), w[80] __attribute__((aligned(4)));
static uint32_t hash;
static void add(int32_t value)
{
    hash = (hash ^ (uint32_t)value) * 16777619u;
}
static void all(void)
{
    for (int turn = 0; turn < 2000; ++turn) {
        const int16_t *p = x;
        const int quads = 1 + turn % 19;
        const int32_t start = (int32_t)next_word();
        uint32_t five[5];
        for (int k = 0; k < 80; ++k) {
            x[k] = (int16_t)next_word();
            w[k] = (int16_t)next_word();
        }
        for (int k = 0; k < 5; ++k) {
            five[k] = next_word();
        }
        const tinyc_mac16_nine nine = {five[0], five[1], five[2], five[3], five[4]};
        add(tinyc_mac16_sum(&p, w, quads, start));
        p = x;
        add(tinyc_mac16_wide_sum(&p, w, quads, start));
        p = x;
        add(tinyc_mac16_window(&p, &nine, 0, start));
        add(tinyc_mac16_window(&p, &nine, 1, start));
        add((int32_t)(p - x));
    }
}
"""


@pytest.mark.simulator
@pytest.mark.parametrize("core", CORES)
def test_twins_of_the_instructions(core: str) -> None:
    """Random operands and those of the extremes, sums that wrap: the same as by C, on the core and here."""
    kernels = Kernels()
    kernels.include("mac16_sum")
    kernels.include("mac16_window")
    text = "#include <string.h>\n" + kernels.text() + ALONE
    source = network(
        "argument", text + exact("all(); for (int k = 0; k < 4; ++k) output[k] = (int8_t)(hash >> 8 * k);")
    )
    found = [simulator(source, core, flags=("-w", *more)).run(images(1))[0][0] for more in ((), ("-DTINYC_EMULATE",))]
    (here,) = HostRunner(source, flags=("-w",)).run(images(1))[0]
    np.testing.assert_array_equal(found[0].ravel()[:4], here.ravel()[:4])
    np.testing.assert_array_equal(found[1].ravel()[:4], here.ravel()[:4])


KERNEL = """
#include "qmac16_depthwise3x3_i8.h"
#include "qmac16_pointwise_i8.h"

void pointwise(const int8_t *x, const int32_t *w, const int32_t *bias, const int32_t *multiplier, int32_t *words,
               int8_t *out, int pixels, int band, int inputs, int outputs, int zero, int low, int high)
{
    tinyc_qmac16_pointwise_i8(x, w, bias, multiplier, 0, words, out, pixels, band, (inputs + 3) / 4,
                              (inputs - 1) % 4 + 1, outputs, 0, zero, low, high, 2);
}

void narrow(const int32_t *sums, const int32_t *multipliers, int8_t *found, int8_t *wanted, int count, int zero,
            int low, int high, int form)
{
    const int32_t addend = tinyc_qmac16_addend_i8(zero, form);
    for (int k = 0; k < count; ++k) {
        found[k] = tinyc_qmac16_narrow_i8(sums[k] * 256, multipliers[k], 0, addend, zero, low, high, form);
        wanted[k] = tinyc_narrow_i8(sums[k], multipliers[k], 0, zero, low, high, form);
    }
}
"""


@cache
def kernel() -> ctypes.CDLL:
    folder = Path(mkdtemp(prefix="tinyc_mac16_"))
    (folder / "mac16.c").write_text(KERNEL)
    flags = ["-std=c99", "-O1", "-shared", "-fPIC", f"-I{FOLDER}"]
    subprocess.run(["gcc", *flags, "mac16.c", "-o", "mac16.so"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "mac16.so"))


def at(array: Array) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


@pytest.mark.parametrize("form", [2, 3])
@pytest.mark.parametrize("limits", [(-128, -128, 127), (0, -128, 127), (-5, -5, 77), (127, -128, 127)])
def test_sums_that_are_256_times_as_large_are_requantised_alike(form: int, limits: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(form)
    edges = np.array([0, 1, -1, NARROW - 1, 1 - NARROW, 2**22, -(2**22)], np.int32)
    factors = np.array([0, 1, 2**30, 2**31 - 1, 2**29, 2**31 - 2**8], np.int32)
    sums = np.concatenate([np.repeat(edges, 6), rng.integers(1 - NARROW, NARROW, 50000, np.int32)])
    multipliers = np.concatenate([np.tile(factors, 7), rng.integers(0, 2**31, 50000).astype(np.int32)])
    # Halves, where the direction of rounding shows.
    multipliers[100:20000] = 2 ** rng.integers(12, 31, 19900)
    found, want = (np.zeros(sums.size, np.int8) for _ in range(2))
    kernel().narrow(at(sums), at(multipliers), at(found), at(want), sums.size, *limits, form)
    np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize("offset", range(4))
@pytest.mark.parametrize("inputs", [4, 5, 6, 7, 8, 12, 20, 36])
def test_elements_anywhere(inputs: int, offset: int) -> None:
    """Words are read where elements lie at a multiple of four, bytes elsewhere."""
    rng = np.random.default_rng(inputs)
    pixels, outputs = 7, 5
    memory, weights = int8(rng, (pixels * inputs + 8,)), int8(rng, (outputs, inputs))
    start = -memory.ctypes.data % 4 + offset
    x = memory[start : start + pixels * inputs].reshape(pixels, inputs)
    bias = rng.integers(-9000, 9000, outputs).astype(np.int32)
    factor = np.full(outputs, 2**24, np.int32)
    starts = ((bias.astype(np.int64) - 128 * weights.astype(np.int64).sum(axis=1)) * 256).astype(np.int32)
    sums = x.astype(np.int64) @ weights.astype(np.int64).T + bias
    want = np.clip(fixed_point.requantise(sums, factor, np.zeros(outputs, np.int32)) - 3, -100, 90)
    for band in (1, 2, 3, 7):
        out = np.zeros((pixels, outputs), np.int8)
        words = np.zeros(1 + 2 * -(-inputs // 4) * (1 + band), np.int32)
        vectors = (words_of_weights(weights, exchanged=False), starts, factor * 4, words, out)
        kernel().pointwise(at(x), *map(at, vectors), pixels, band, inputs, outputs, -3, -100, 90)
        np.testing.assert_array_equal(out, want, err_msg=f"{band}")


@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
def test_the_largest_sums(build: str) -> None:
    """On both sides of what fits 32 bits, by operands of the extremes alone."""
    maker, outputs = Maker(np.random.default_rng(4)), []
    for inputs, sign in itertools.product([511, 512, 513, 2000], [-1, 1]):
        x = maker.input((1, 1, 3, inputs))
        maker.arrays[-1][:] = np.array([-128, 127, -128], np.int8)[:, None]
        w = np.full((5, inputs), -128 if sign < 0 else 127, np.int8)
        w[1:3] = -w[1:3] - 1
        w[4] = maker.rng.choice(np.array([-128, 127], np.int8), inputs)
        multiplier, shift = fixed_point.to_multiplier(1 / (128 * inputs))
        b, m, s = (maker.builder.constant(np.full(5, v, np.int32)) for v in (0, multiplier, shift))
        outputs.append(maker.add(ops.QDense(x, maker.builder.constant(w), b, m, s)))
    program = with_words(lowered(maker.builder.build(outputs)), TUNING)
    assert all(is_mac16(program, s, TUNING) for s in program.stages)
    text = generate(program, name="cases", tuning=TUNING).files["cases.c"]
    assert "/*wide=*/0" in text
    assert "/*wide=*/1" in text
    compare(program, maker.arrays, TUNING, build)


@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
def test_narrow_rows(build: str) -> None:
    """Depthwise rows of 1 to 8 columns, with every pad and both strides, whole and in bands."""
    maker, outputs = Maker(np.random.default_rng(1)), []
    cases = itertools.product([1, 2], [0, 1, 2], [0, 1, 2], range(1, 9))
    for number, (stride, left, right, width) in enumerate(cases):
        if width + left + right >= 3 and left <= 3 - stride:
            geometry = {"strides": (1, stride), "pads": (1, left, 1, right), "dilations": (1, 1)}
            x = maker.input((1, 2, width, (3, 4, 5, 8)[number % 4]))
            outputs.append(maker.depthwise(x, "once", kernel=(3, 3), each=1, **geometry, min=-128, max=127))
    assert len(outputs) > 90
    program = lowered(maker.builder.build(outputs))
    compare(with_words(program, TUNING), maker.arrays, TUNING, build)


def long_rows() -> tuple[RowProgram, list[Array]]:
    """Depthwise rows of more columns than the stack has room for: in bands, which leave columns to the next one."""
    maker, outputs = Maker(np.random.default_rng(2)), []
    for number, (stride, left, right) in enumerate(itertools.product([1, 2], [0, 1, 2], [0, 1, 2])):
        if left <= 3 - stride:
            geometry = {"strides": (1, stride), "pads": (1, left, 1, right), "dilations": (1, 1)}
            x = maker.input((1, 3, int(maker.rng.integers(53, 100)), (4, 3, 8)[number % 3]))
            outputs.append(maker.depthwise(x, "round", kernel=(3, 3), each=1, **geometry, min=-128, max=127))
    program = lowered(maker.builder.build(outputs))
    bands = [
        (needed.band(needed.on_stack), needed.count) for s in program.stages if (needed := room(program, s, TUNING))
    ]
    assert len(bands) > len(program.stages) / 2
    assert all(1 < band < count for band, count in bands)
    return program, maker.arrays


@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
def test_long_rows(build: str) -> None:
    compare(*long_rows(), TUNING, build)


@pytest.mark.simulator
def test_long_rows_by_the_instructions() -> None:
    program, arrays = long_rows()
    (got,) = simulator(generate(program, name="cases", tuning=TUNING), "esp32").run([arrays])
    same(program, arrays, got)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
def test_a_network(build: str, streamed: bool) -> None:
    """Depthwise rows over their operands, memory in gaps, behind the arena and on the stack."""
    maker = Integers(np.random.default_rng(3))
    whole = lowered_to_rows(mobile(maker, 96), "arena")
    program = planned(Stream().run(whole) if streamed else whole)
    assert program.plan is not None
    after = UseSpareMemory(partial(wanted, tuning=TUNING), growth=TUNING.growth).run(program)
    assert after.plan is not None
    assert program.plan.bytes <= after.plan.bytes <= 1.03 * program.plan.bytes
    assert sum(is_mac16(after, s, TUNING) for s in after.stages) > 8
    compare(after, maker.arrays, TUNING, build)


def test_room() -> None:
    """Sizes from all outputs to two of them; less than fits the stack only where it is all."""
    assert Room(10, 100, 12).sizes == (1210, 610, 410, 310, 210)
    assert Room(1, 4, 6).sizes == (25,)
    assert [Room(10, 100, 12).band(words) for words in (0, 209, 210, 1209, 1210, 5000)] == [0, 0, 2, 11, 12, 12]
    assert Room(10, 100, 1).band(110) == 1
    assert Room(10, 100, 12).on_stack == 0
    assert Room(10, 30, 12).on_stack == STACK
    assert Room(10, 30, 2).on_stack == 80


def test_cores_without_it() -> None:
    program, _ = random_program(3)
    plain = Tuning(tile=2, paired_tile=1)
    assert plain.growth == 0
    assert not any(wanted(program, s, plain) or room(program, s, plain) for s in program.stages)
    assert "mac16" not in generate(program, name="cases", tuning=plain).files["cases.c"]
