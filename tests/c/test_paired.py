"""One multiplication for two products (`qpairs_i8.h`): exact for the weights that are paired."""

from __future__ import annotations

import ctypes
import itertools
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.c.support import BUILDS, lowered, with_words
from tinyc.backends.c import generate
from tinyc.backends.c.library import FOLDER
from tinyc.backends.c.pairs import Pairs, fours, pairs_of, twos
from tinyc.backends.c.tuned import Choices, Tiling
from tinyc.backends.c.tuning import Optimize, Tuning
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner
from tinyc.ir import Builder, DType, TensorType, Value, fixed_point, ops
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array

# A multiplier of one half and a shift to the left by one: the result is the sum.
KERNEL = """
#include "qpairs_i8.h"

void sums(const int8_t *x, const int8_t *w, const uint8_t *extras, const int32_t *bias, int32_t *words, int8_t *out,
          int group, int rows, int runs, int n)
{
    const int8_t *row[8];
    const int32_t multiplier[4] = {1 << 30, 1 << 30, 1 << 30, 1 << 30};
    const int8_t shift[4] = {1, 1, 1, 1};
    for (int k = 0; k < rows; ++k) {
        row[k] = x + k * runs * n;
    }
    const uint8_t *found = group == 4 ? extras : NULL;
    const uint64_t bits = tinyc_qextras_bits_i8(&found, rows * runs);
    tinyc_qpair_weights_i8(words, w, rows * runs * n, 0);
    (void)tinyc_qpairs_i8(row, x, words, bits, found, bias, multiplier, shift, out, group, 1, 0, 0, 0, 0, 0,
                    rows, runs, n, n, 0, 0, -128, 127, 0);
}
"""


@cache
def kernel() -> ctypes.CDLL:
    folder = Path(mkdtemp(prefix="tinyc_pairs_"))
    (folder / "pairs.c").write_text(KERNEL)
    # What overflows wraps, and shows as a wrong sum.
    flags = ["-std=c99", "-O1", "-fwrapv", "-shared", "-fPIC", f"-I{FOLDER}"]
    subprocess.run(["gcc", *flags, "pairs.c", "-o", "pairs.so"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "pairs.so"))


def errors(x: Array, w: Array, pairs: Pairs, rows: int, runs: int) -> Array:
    """How far the kernel's sums of x [elements] and w [4, elements], in so many runs, are from the exact ones."""
    exact = w.astype(np.int64) @ x.astype(np.int64)
    bias, out = (-exact).astype(np.int32), np.zeros(4, np.int8)
    words = np.zeros(2 * x.size, np.int32)
    extras = np.frombuffer(b"".join(pairs.extras) or b"\0", np.uint8)
    arrays = (np.ascontiguousarray(x), np.ascontiguousarray(pairs.weights.T), extras, bias, words, out)
    pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in arrays]
    kernel().sums(*pointers, pairs.group, rows, runs, x.size // rows // runs)
    return out


def partitions(kh: int, kw: int) -> list[tuple[int, int]]:
    """How kernels divide a window into rows and runs: whole at the ends of a row, by rows, and by pixels."""
    return [(1, 1), (kh, 1), (kh, kw)]


EXTREMES = st.sampled_from([-128, -128, 127, 127, -127, 126, 0, 1, -1])
WINDOWS = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 7))


def drawn(data: st.DataObject, count: int) -> tuple[Array, Array]:
    """Weights [4, count] and elements, of the extremes."""
    w = np.array(data.draw(st.lists(EXTREMES, min_size=4 * count, max_size=4 * count)), np.int8).reshape(4, count)
    if data.draw(st.booleans()):
        # No two of -128 side by side, which random ones nearly always have.
        w[:, 1::2] = np.maximum(w[:, 1::2], -127)
    same = data.draw(st.sampled_from([-128, 127, None]))
    values = [same] * count if same is not None else data.draw(st.lists(EXTREMES, min_size=count, max_size=count))
    return w, np.array(values, np.int8)


SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(deadline=None, max_examples=300, suppress_health_check=SLOW)
@given(st.data())
def test_groups_of_two_are_exact_where_weights_fit(data: st.DataObject) -> None:
    kh, kw, n = data.draw(WINDOWS)
    w, x = drawn(data, kh * kw * n)
    sizes = np.abs(w.astype(np.int64))
    fits = all(a + b <= 255 for row in sizes.tolist() for a, b in itertools.pairwise(row))
    pairs = twos(w, kh)
    assert (pairs is not None) == fits
    if pairs is not None:
        for rows, runs in partitions(kh, kw):
            assert not errors(x, w, pairs, rows, runs).any(), (rows, runs)


@settings(deadline=None, max_examples=300, suppress_health_check=SLOW)
@given(st.data())
def test_groups_of_four_are_exact_for_all_weights(data: st.DataObject) -> None:
    kh, kw, n = data.draw(WINDOWS)
    w, x = drawn(data, kh * kw * n)
    for rows, runs in partitions(kh, kw):
        pairs = fours(w, rows * runs)
        assert pairs is not None
        assert not errors(x, w, pairs, rows, runs).any(), (rows, runs)
        # However a window is cut into rows, its runs are the same.
        assert not errors(x, w, pairs, 1, rows * runs).any(), (rows, runs)


@settings(deadline=None, max_examples=300, suppress_health_check=SLOW)
@given(st.data())
def test_groups_of_eight_are_exact_for_weights_of_4_bits(data: st.DataObject) -> None:
    kh, kw, n = *data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3))), data.draw(st.integers(1, 21))
    _, x = drawn(data, kh * kw * n)
    ends = st.lists(st.sampled_from([-8, -8, 7, 7, 0, -1]), min_size=4 * x.size, max_size=4 * x.size)
    w = np.array(data.draw(st.sampled_from([[-8] * 4 * x.size, data.draw(ends)])), np.int8).reshape(4, x.size)
    for rows, runs in partitions(kh, kw):
        assert not errors(x, w, Pairs(8, w, 1), rows, runs).any(), (rows, runs)


WHOLE = [
    (64, 64, 64, -64),
    (127, 127, 1, -1),
    (-127, -127, -1, 1),
    (-128, 127, 1, 0),
    (-128, -127, 0, 1),
    (1, -1, -127, 127),
]
"""Weights that are together 256, and of both signs."""


def test_groups_of_four_have_256_where_signs_differ() -> None:
    """With whatever numbers and neighbours: nothing is lacking, and sums are exact."""
    for x, first, second in itertools.product(itertools.product([-128, 127], repeat=4), WHOLE, WHOLE):
        w = np.array([first, second, second, first], np.int8)
        pairs = fours(w, 1)
        assert pairs is not None
        assert not pairs.lacks
        assert not errors(np.array(x, np.int8), w, pairs, 1, 1).any()
    assert fours(np.array([[64, 64, 64, 64]] * 4, np.int8), 1).lacks  # type: ignore[union-attr]


@pytest.mark.parametrize("weights", [(-128, 127), (127, -128), (127, 127), (-127, -128), (-128, -127)])
def test_the_bound(weights: tuple[int, int]) -> None:
    for x in itertools.product([-128, 127], repeat=2):
        for lanes in itertools.product([weights, weights[::-1], (-128, 0)], repeat=4):
            w = np.array(lanes, np.int8)
            pairs = twos(w, 1)
            assert pairs is not None
            assert not errors(np.array(x, np.int8), w, pairs, 1, 1).any()


def test_one_beyond_the_bound_is_wrong() -> None:
    w = np.full((4, 2), -128, np.int8)
    assert twos(w, 1) is None
    assert twos(w[:, :1], 1) is not None
    assert errors(np.full(2, -128, np.int8), w, Pairs(2, w, 1), 1, 1).any()
    four = np.full((4, 4), -64, np.int8)
    assert errors(np.full(4, -128, np.int8), four, Pairs(4, four, 1, (bytes([0]),)), 1, 1).any()
    pairs = fours(four, 1)
    assert pairs is not None
    assert pairs.extras == (bytes([0b1111, *([3, 255] * 4)]),)


def test_extras_far_apart() -> None:
    """A distance is one byte: what lies further is reached in steps."""
    for length in (256, 260, 512, 1025):
        w = np.zeros((4, length), np.int8)
        w[0, :2] = -128
        w[3, :3] = w[3, -3:] = 127
        pairs = fours(w, 1)
        assert pairs is not None
        for fill in (-128, 127):
            assert not errors(np.full(length, fill, np.int8), w, pairs, 1, 1).any()


def test_windows_of_many_runs_are_not_in_groups_of_four() -> None:
    """The kernel has 64 bits, one for each run of four channels."""
    rng = np.random.default_rng(0)
    w, x = rng.choice([-128, 127], (4, 48)).astype(np.int8), rng.integers(-128, 128, 48).astype(np.int8)
    pairs = fours(w, 16)
    assert pairs is not None
    assert not errors(x, w, pairs, 4, 4).any()
    assert fours(w, 24) is None
    assert fours(np.zeros((4, 300), np.int8), 300) is None


def test_outputs_left_over_keep_their_weights() -> None:
    w = np.full((6, 8), 127, np.int8)
    pairs = fours(w, 1)
    assert pairs is not None
    assert len(pairs.extras) == 1
    np.testing.assert_array_equal(pairs.weights[4:], w[4:])
    assert np.abs(pairs.weights[:4].astype(int)).reshape(4, 2, 4).sum(axis=2).max() == 255


PATTERNS = {
    "alternating": (127, -128),
    "above": (127, 127),
    "below": (-128, -127),
    "sparse": (-128, 0, -128, 127),
    "runs": (-128, -128, 127),
}
SHAPES = [(3, 3, 3), (3, 3, 4), (1, 1, 16), (1, 1, 17), (3, 3, 2), (2, 3, 5), (1, 5, 7), (5, 1, 5), (3, 1, 11)]


def pattern(name: str, outputs: int, shape: tuple[int, int, int]) -> Array:
    """Weights of one pattern, each output channel from another begin."""
    count = int(np.prod(shape))
    return np.stack([np.resize(np.roll(PATTERNS[name], k), count) for k in range(outputs)]).reshape(-1, *shape)


def layer(builder: Builder, x: Value, w: Array, pads: tuple[int, int, int, int], name: str, dilation: int) -> Value:
    """A convolution whose result is spread over int8."""
    outputs = len(w)
    factor = fixed_point.to_multiplier(255 / (128.0 * np.abs(w.astype(np.int64)).sum(axis=(1, 2, 3)).max()))
    numbers = [np.zeros(outputs, np.int32), *(np.full(outputs, v, np.int32) for v in factor)]
    operands = [builder.constant(a) for a in (w.astype(np.int8), *numbers)]
    geometry = {"strides": (1, 1), "pads": pads, "dilations": (1, dilation)}
    return builder.add(ops.QConv2d(x, *operands, **geometry, zero=-128), name, name)  # type: ignore[arg-type]


def adversarial(dilation: int) -> tuple[RowProgram, list[Array]]:
    """Every pattern in every shape, on operands of the extremes alone."""
    builder, outputs, arrays = Builder("adversarial"), [], list[Array]()
    fills = [np.int8(-128), np.int8(127), None]
    rng = np.random.default_rng(8)
    for number, (shape, name) in enumerate(itertools.product(SHAPES, PATTERNS)):
        kh, kw, channels = shape
        size = (1, 4, 13, channels)
        fill = fills[number % 3]
        arrays.append(rng.choice(np.array([-128, 127], np.int8), size) if fill is None else np.full(size, fill))
        x = builder.input("x", TensorType(size, DType.I8))
        reach = (kw - 1) * dilation
        pads = (kh // 2, reach // 2, kh // 2, reach - reach // 2)
        outputs.append(layer(builder, x, pattern(name, 9, shape), pads, f"{name}_{number}", dilation))
    return lowered(builder.build(outputs)), arrays


@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("group", [2, 4])
def test_adversarial_layers(group: int, dilation: int, build: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program, arrays = adversarial(dilation)
    monkeypatch.setattr(f"tinyc.backends.c.pairs.{'fours' if group == 2 else 'twos'}", lambda *_: None)
    program = with_words(program, Tuning(choices=Choices(otherwise=Tiling(paired_tile=3))))
    paired = [stage for stage in program.stages if stage.kernel.has_spare]
    assert {pairs.group for pairs in (pairs_of(program, stage) for stage in paired) if pairs} == {group}
    names = {stage.result.name.partition("_")[0] for stage in paired}
    assert names == (set(PATTERNS) - {"runs"} if group == 2 else set(PATTERNS))
    cc, flags = BUILDS[build]
    (got,) = HostRunner(generate(program, name="cases"), cc=cc, flags=flags).run([arrays])
    for value, g, w in zip(program.outputs, got, run_program(program, arrays), strict=True):
        np.testing.assert_array_equal(g, w, err_msg=value.name)


@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
def test_neighbours_in_two_rows_of_a_window(build: str) -> None:
    """The window of a pixel at the end of a row is one run for groups of two, in which the last element of a row meets
    the next one's first. With nine elements a row, that is a pair."""
    w = np.ones((4, 27), np.int64)
    w[:, 8:10] = -128
    assert twos(w.astype(np.int8), 3) is None
    builder = Builder("rows")
    x = builder.input("x", TensorType((1, 5, 13, 3), DType.I8))
    program = lowered(builder.build([layer(builder, x, w.reshape(4, 3, 3, 3), (1, 1, 1, 1), "y", 1)]))
    arrays = [np.full((1, 5, 13, 3), -128, np.int8)]
    program = with_words(program, Tuning(choices=Choices(otherwise=Tiling(paired_tile=2))))
    assert program.stages[0].kernel.has_spare
    cc, flags = BUILDS[build]
    (got,) = HostRunner(generate(program, name="rows"), cc=cc, flags=flags).run([arrays])
    np.testing.assert_array_equal(got[0], run_program(program, arrays)[0])


@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
@pytest.mark.parametrize(("shape", "dilation"), [((3, 3, 18), 1), ((3, 3, 40), 1), ((3, 5, 7), 1), ((1, 7, 50), 2)])
def test_windows_at_the_ends_of_rows_that_are_not_copied(
    shape: tuple[int, int, int], dilation: int, build: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read pixel by pixel, from the row and from the pad row: groups begin anew in each pixel there, and so in
    the windows between."""
    monkeypatch.setattr("tinyc.backends.c.pairs.twos", lambda *_: None)
    kh, kw, channels = shape
    rng = np.random.default_rng(11)
    w = np.clip(np.round(rng.normal(0, 45, (8, *shape))), -128, 127).astype(np.int64)
    builder = Builder("ends")
    x = builder.input("x", TensorType((1, 6, 9, channels), DType.I8))
    reach = (kw - 1) * dilation // 2
    y = layer(builder, x, w, (kh // 2, reach, kh // 2, reach), "y", dilation)
    program = with_words(lowered(builder.build([y])), Tuning(choices=Choices(otherwise=Tiling(paired_tile=3))))
    pairs = pairs_of(program, program.stages[0])
    assert pairs is not None
    assert any(len(block) > (pairs.runs + 1) // 2 for block in pairs.extras)
    arrays = [rng.integers(-128, 128, (1, 6, 9, channels)).astype(np.int8)]
    cc, flags = BUILDS[build]
    (got,) = HostRunner(generate(program, name="ends"), cc=cc, flags=flags).run([arrays])
    np.testing.assert_array_equal(got[0], run_program(program, arrays)[0])


@pytest.mark.parametrize("optimize", ["balanced", "speed"])
@pytest.mark.parametrize("lacking", [True, False])
def test_what_lacks_nothing_has_the_code_of_what_does(
    lacking: bool, optimize: Optimize, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pointwise layers in groups of four, one of which lacks parts of its weights: with tiles of as many pixels, the
    other shares its code, and finds nothing to add."""
    monkeypatch.setattr("tinyc.backends.c.pairs.twos", lambda *_: None)
    rng = np.random.default_rng(5)
    builder, outputs, arrays = Builder("two"), [], list[Array]()
    for number, most in enumerate((20, 128 if lacking else 20)):
        size = (1, 2, 6, 16 + 8 * number)
        x = builder.input("x", TensorType(size, DType.I8))
        arrays.append(rng.integers(-128, 128, size).astype(np.int8))
        outputs.append(layer(builder, x, rng.integers(-most, most, (8, 1, 1, size[3])), (0, 0, 0, 0), f"y{number}", 1))
    # Of a larger network, layers with so many inputs have no loop of their own.
    x = builder.input("x", TensorType((1, 9, 9, 32), DType.I8))
    arrays.append(rng.integers(-128, 128, (1, 9, 9, 32)).astype(np.int8))
    outputs.append(layer(builder, x, rng.integers(-9, 9, (8, 3, 3, 32)), (1, 1, 1, 1), "large", 1))
    tuning = Tuning(optimize=optimize, choices=Choices(otherwise=Tiling(paired_tile=2)))
    program = with_words(lowered(builder.build(outputs)), tuning)
    assert all(stage.kernel.has_spare for stage in program.stages)
    source = generate(program, name="two", tuning=tuning)
    (got,) = HostRunner(source).run([arrays])
    for value, g, w in zip(program.outputs, got, run_program(program, arrays), strict=True):
        np.testing.assert_array_equal(g, w, err_msg=value.name)
    assert source.files["two.c"].count("tinyc_qpointwise_i8(x") == (2 if optimize == "speed" else 1)
    assert ("extras, NULL" in source.files["two.c"]) <= lacking
