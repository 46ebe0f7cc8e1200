"""Weights of 4 bits (`nibbles.py`): two in a byte in the C of integer layers, whose results stay the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.c.quantised import Maker, int8
from tests.c.support import BUILDS, lowered, need, with_words
from tinyc.backends.c import generate
from tinyc.backends.c.conv import pack
from tinyc.backends.c.nibbles import RAISED, in_halves
from tinyc.backends.c.tuned import Choices, Tiling
from tinyc.backends.c.tuning import Optimize, Tuning
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner
from tinyc.ir import IRError, Value
from tinyc.ir.constant import fits_4_bits
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array


class SmallWeights(Maker):
    """Layers whose weights have 4 bits, the ends of their range often among them."""

    def layer(self, weights: Array, axis: int, corner: str | None) -> list[Value]:
        return super().layer((weights.astype(np.int16) // 16).astype(np.int8), axis, corner)


def layers(seed: int, count: int = 12) -> tuple[RowProgram, list[Array]]:
    """Convolutions of windows, of pixels and of groups, and dense layers, each on an input of its own."""
    maker = SmallWeights(np.random.default_rng(seed))
    rng = maker.rng
    kinds: list[Callable[[Value], Value]] = [maker.conv, maker.pointwise, maker.dense]
    outputs = []
    for number in range(count):
        size = (1, int(rng.integers(3, 7)), int(rng.integers(3, 12)), int(rng.integers(1, 20)))
        x = maker.input((int(rng.integers(1, 4)), size[3]) if number % 3 == 2 else size)
        outputs.append(_fitting(kinds[number % 3], x))
    return lowered(maker.builder.build(outputs)), maker.arrays


def _fitting(make: Callable[[Value], Value], x: Value) -> Value:
    """A layer whose windows fit its operand."""
    for _ in range(100):
        with suppress(IRError):
            return make(x)
    raise AssertionError("no window fits")


@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("optimize", ["balanced", "speed", "size"])
def test_results_are_those_of_the_interpreter(optimize: Optimize, words: bool, build: str) -> None:
    need(build)
    if optimize == "size" and words:
        pytest.skip("the least code has no use for memory")
    choices = Choices(otherwise=Tiling(paired_tile=3)) if words else Choices()
    tuning = Tuning(optimize=optimize, choices=choices)
    program, arrays = layers(seed=len(optimize) + 2 * words)
    program = with_words(program, tuning) if words else program
    source = generate(program, name="cases", tuning=tuning)
    assert "two in a byte" in source.files["cases_weights.c"]
    cc, flags = BUILDS[build]
    (got,) = HostRunner(source, cc=cc, flags=flags).run([arrays])
    for value, g, w in zip(program.outputs, got, run_program(program, arrays), strict=True):
        np.testing.assert_array_equal(g, w, err_msg=value.name)


@settings(deadline=None)
@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 12), st.booleans(), st.integers(0, 2**32 - 1))
def test_halves_hold_the_weights(groups: int, each: int, elements: int, paired: bool, seed: int) -> None:
    w = int8(np.random.default_rng(seed), (groups * each, elements)) // 16
    packed = in_halves(pack(w, groups), elements, each, groups, paired)
    whole = each // 4 * 4
    assert w.size - packed.size == groups * whole * elements // 2
    for group, own in zip(packed.reshape(groups, -1), w.reshape(groups, each, elements), strict=True):
        both = group[: whole * elements // 2].view(np.uint8) ^ np.uint8(RAISED if paired else 0)
        halves = np.stack([both & 15, both >> 4], axis=-1).astype(np.int8)
        numbers = np.where(halves > 7, halves - 16, halves).reshape(-1, elements, 4)
        np.testing.assert_array_equal(numbers.transpose(0, 2, 1).reshape(whole, elements), own[:whole])
        np.testing.assert_array_equal(group[whole * elements // 2 :].reshape(elements, -1).T, own[whole:])


def test_the_range() -> None:
    assert fits_4_bits(np.array([-8, 7], np.int8))
    assert not fits_4_bits(np.array([8], np.int8))
    assert not fits_4_bits(np.array([-9], np.int8))
    assert not fits_4_bits(np.zeros(0, np.int8))


@pytest.mark.parametrize(("tuning", "halves"), [(Tuning(pie=True), 1), (Tuning(pie=True, optimize="speed"), 0)])
def test_vectors_keep_bytes_for_speed_alone(tuning: Tuning, halves: int) -> None:
    maker = SmallWeights(np.random.default_rng(3))
    program = lowered(maker.builder.build([maker.conv(maker.input((1, 8, 8, 16)), "once", outputs=16, groups=1)]))
    text = generate(program, name="layer", tuning=tuning).files["layer_weights.c"]
    assert ("two in a byte" in text) == halves
