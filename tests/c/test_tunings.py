"""Integer layers of any shape under whatever C is tuned for: bit for bit what the interpreter computes."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pytest

from tests.c.quantised import Maker
from tests.c.support import BUILDS, lowered, need, with_words
from tests.sampling import some
from tinyc.backends.c import generate
from tinyc.backends.c.tuning import Optimize, Tuning
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner
from tinyc.ir import IRError, Value
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array

OPTIMIZE: tuple[Optimize, ...] = ("speed", "balanced", "size")
TUNINGS = list(itertools.product(OPTIMIZE, range(1, 5), range(5)))
"""`optimize`, `tile`, and `paired_tile`."""
CHEAP = ("gcc-functions", "clang-sanitize", "clang-functions", "gcc-sanitize")
"""Each tuning with one of these in turn."""
LAYERS = 14
PRIMES = (1, 2, 3, 4, 5, 7, 8, 11, 13, 16, 17, 19)


@dataclass
class Paired(Maker):
    """Layers most of whose weights can be paired: no two of -128 side by side; some in groups of four without extras,
    and some of 4 bits."""

    def layer(self, weights: Array, axis: int, corner: str | None) -> list[Value]:
        kept = weights if self.rng.random() < 0.1 else np.maximum(weights, np.int8(-127))
        kept = kept // np.int8(self.rng.choice([1, 1, 1, 3, 16]))
        return super().layer(kept, axis, corner or ("once" if self.rng.random() < 0.5 else None))

    def some_layer(self, x: Value) -> Value:
        """A convolution, a dense layer or a depthwise one. Raises `IRError` where its window is larger than x."""
        outputs, kind = int(self.rng.choice(PRIMES)), self.rng.integers(6)
        if kind == 0:
            return self.dense(x, outputs=outputs)
        if kind == 1:
            return self.conv(x, kernel=(1, 1), groups=1, outputs=outputs, strides=(1, 1), pads=(0, 0, 0, 0))
        if kind == 2:
            return self.depthwise3x3(x)
        return (
            self.depthwise(x) if kind == 3 else self.conv(x, outputs=outputs, groups=1) if kind == 4 else self.conv(x)
        )


class Small(Maker):
    """Layers whose weights can be paired in groups of four without extras."""

    def layer(self, weights: Array, axis: int, corner: str | None) -> list[Value]:
        return super().layer((weights // 3).astype(np.int8), axis, corner)


def layers(seed: list[int], count: int) -> tuple[Maker, list[Value]]:
    maker, found = Paired(np.random.default_rng(seed)), list[Value]()
    for _ in range(count):
        rows, columns = (int(n) for n in maker.rng.integers(1, [6, 18]))
        x, made = maker.input((1, rows, columns, int(maker.rng.choice(PRIMES)))), len(found) + 1
        while len(found) < made:
            with suppress(IRError):
                found.append(maker.some_layer(x))
    return maker, found


def compare(program: RowProgram, arrays: list[Array], tuning: Tuning, build: str) -> None:
    need(build)
    cc, flags = BUILDS[build]
    (got,) = HostRunner(generate(program, name="cases", tuning=tuning), cc=cc, flags=flags).run([arrays])
    want = run_program(program, arrays)
    differ = [
        f"{value}: {np.count_nonzero(g != w)} of {w.size} differ"
        for value, g, w in zip(program.outputs, got, want, strict=True)
        if not np.array_equal(g, w)
    ]
    assert not differ, "\n".join([str(tuning), *differ])


@pytest.mark.parametrize("number", some(range(len(TUNINGS)), 12))
def test_random_layers(number: int) -> None:
    optimize, tile, paired_tile = TUNINGS[number]
    tuning = Tuning(optimize, tile, paired_tile)
    maker, outputs = layers([number], LAYERS)
    program = lowered(maker.builder.build(outputs))
    build = CHEAP[number % len(CHEAP)]
    planned = with_words(program, tuning)
    compare(planned, maker.arrays, tuning, build)
    if planned is not program:
        # No memory, no pairs.
        compare(program, maker.arrays, tuning, build)


def test_random_layers_are_of_all_kinds() -> None:
    """Of what the series has: pairs, each operator, and each form of requantisation."""
    words, kinds, text = 0, Counter[str](), ""
    for number in range(0, len(TUNINGS), 4):
        maker, outputs = layers([number], LAYERS)
        program = with_words(lowered(maker.builder.build(outputs)), Tuning())
        words += sum(s.kernel.scratch is not None for s in program.stages)
        kinds.update(s.op.mnemonic for s in program.stages)
        text += generate(program, name="cases").files["cases.c"]
    assert words >= 10
    assert min(kinds[name] for name in ("qconv2d", "qdepthwise_conv2d", "qdense")) >= 10
    for form in range(4):
        assert f"/*form=*/{form});" in text
    for key in ("paired", "patched"):
        assert f"/*{key}=*/0" in text
    for group in (2, 4, 8):
        assert f"/*paired=*/{group}" in text
    assert "/*patched=*/1" in text


@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
@pytest.mark.parametrize("optimize", OPTIMIZE)
def test_narrow_rows(optimize: Optimize, build: str) -> None:
    """3x3 depthwise layers of 1 to 8 columns, with every pad and both strides."""
    maker = Maker(np.random.default_rng(1))
    outputs = []
    cases = itertools.product([1, 2], [0, 1, 2], [0, 1, 2], range(1, 9))
    for number, (stride, left, right, width) in enumerate(cases):
        if width + left + right >= 3 and left <= 3 - stride:
            geometry = {"strides": (1, stride), "pads": (1, left, 1, right), "dilations": (1, 1)}
            corner = "once" if number % 2 else "ordinary"
            x = maker.input((1, 2, width, 3))
            outputs.append(maker.depthwise(x, corner, kernel=(3, 3), each=1, **geometry, min=-128, max=127))
    assert len(outputs) > 90
    compare(lowered(maker.builder.build(outputs)), maker.arrays, Tuning(optimize), build)


def test_least_code_that_needs_no_other_kernel() -> None:
    """Windows that stay within the row, and multipliers with shifts: nothing but the layer's own code declares NULL."""
    need("gcc")
    maker = Maker(np.random.default_rng(2))
    x = maker.input((1, 6, 6, 3))
    geometry = {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1)}
    y = maker.conv(x, "ordinary", kernel=(3, 3), groups=1, outputs=5, **geometry)
    program = lowered(maker.builder.build([y]))
    text = generate(program, name="cases", tuning=Tuning("size")).files["cases.c"]
    assert "NULL" in text
    compare(program, maker.arrays, Tuning("size"), "gcc")


def test_least_code_for_pixels_of_many_channels() -> None:
    """Pixels are not copied: the stack says nothing of how many channels they may have."""
    need("gcc")
    maker = Maker(np.random.default_rng(3))
    x = maker.input((1, 2, 3, 700))
    geometry = {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1)}
    y = maker.conv(x, "ordinary", kernel=(1, 1), groups=1, outputs=6, **geometry)
    program = lowered(maker.builder.build([y]))
    text = generate(program, name="cases", tuning=Tuning("size")).files["cases.c"]
    assert "void tinyc_qlean_i8(" in text
    assert "void tinyc_qpointwise_i8(" not in text
    compare(program, maker.arrays, Tuning("size"), "gcc")


@pytest.mark.parametrize("optimize", ["speed", "balanced"])
@pytest.mark.parametrize("others", [0, 6])
def test_pixels_left_over(optimize: Optimize, others: int) -> None:
    """196 pixels are 65 tiles of three and one. That one has code of its own where such layers are a large part of the
    network, or code does not matter; else 98 tiles of two need none."""
    need("gcc")
    maker = Small(np.random.default_rng(4))
    pixel = {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1)}
    outputs = []
    for side in (14, *[12] * others):
        x = maker.input((1, side, side, 32))
        outputs.append(maker.conv(x, "once", kernel=(1, 1), groups=1, outputs=32, **pixel))
    program = with_words(lowered(maker.builder.build(outputs)), Tuning(optimize))
    assert all(stage.kernel.has_spare for stage in program.stages)
    text = generate(program, name="cases", tuning=Tuning(optimize)).files["cases.c"]
    own = not others or optimize == "speed"
    assert ("/*spare=*/1" in text, "/*tile=*/2," in text) == (own, not own)
    compare(program, maker.arrays, Tuning(optimize), "gcc")
