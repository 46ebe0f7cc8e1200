"""Multipliers of one byte and biases of 16 bits in place of 32 (`channel_i8.h`): the same results, where they fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.c.support import BUILDS, lowered, with_words
from tinyc.backends.c import generate, short
from tinyc.backends.c.short import known, short_constants
from tinyc.backends.c.tuning import Optimize, Tuning
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner
from tinyc.ir import Builder, DType, TensorType, Value, fixed_point, ops
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array

KINDS = ("pointwise", "conv", "depthwise", "depthwise3x3", "depthwise3x3s2", "dense")
WINDOWS = {"pointwise": 1, "conv": 3, "depthwise": 2, "depthwise3x3": 3, "depthwise3x3s2": 3}


def network(
    seed: int, kinds: tuple[str, ...] = KINDS, channels: int = 7, left: int = 5, places: int = 17, largest: int = 255
) -> tuple[RowProgram, list[Array]]:
    """A layer of each kind, its biases multiples of 2^left, its multipliers up to `largest` times 2^places."""
    rng = np.random.default_rng(seed)
    builder, results, arrays = Builder("short"), list[Value](), list[Array]()
    for kind in kinds:
        size = (1, channels) if kind == "dense" else (1, 6, 5, channels)
        x = builder.input("x", TensorType(size, DType.I8))
        arrays.append(rng.integers(-128, 128, size).astype(np.int8))
        outputs = channels if kind.startswith("depthwise") else channels + 2
        bias = rng.integers(-(2**15) + 1, 2**15, outputs) << left
        multiplier = rng.integers(1, largest + 1, outputs) << places
        multiplier[-1] = largest << places
        numbers = [bias.astype(np.int32), multiplier.astype(np.int32), np.zeros(outputs, np.int32)]
        results.append(builder.add(layer(builder, kind, x, outputs, numbers, rng), "y", kind))
    return lowered(builder.build(results)), arrays


def layer(builder: Builder, kind: str, x: Value, outputs: int, numbers: list[Array], rng: Any) -> Any:
    """An integer layer of a kind, with random weights."""
    if kind == "dense":
        w = rng.integers(-127, 128, (outputs, x.shape[-1])).astype(np.int8)
        return ops.QDense(x, *map(builder.constant, (w, *numbers)), out_zero=3)
    k = WINDOWS[kind]
    strides, pads = (2, 2) if kind.endswith("s2") else (1, 1), ((k - 1) // 2,) * 4
    depthwise = kind.startswith("depthwise")
    w = rng.integers(-127, 128, (k, k, outputs) if depthwise else (outputs, k, k, x.shape[-1])).astype(np.int8)
    make: Any = ops.QDepthwiseConv2d if depthwise else ops.QConv2d
    return make(x, *map(builder.constant, (w, *numbers)), strides, pads, zero=-3, out_zero=3)


@pytest.mark.parametrize("optimize", ["balanced", "size"])
@pytest.mark.parametrize("build", BUILDS)
def test_every_kind_of_layer(optimize: Optimize, build: str) -> None:
    cc, flags = BUILDS[build]
    program, arrays = network(1)
    source = generate(program, name="net", tuning=Tuning(optimize=optimize))
    text = source.files["net_weights.h"]
    assert text.count("int16_t") == len(KINDS)
    assert text.count("uint8_t") == len(KINDS)
    assert "int32_t" not in text
    (got,) = HostRunner(source, cc=cc, flags=flags).run([arrays])
    for own, wanted in zip(got, run_program(program, arrays), strict=True):
        np.testing.assert_array_equal(own, wanted)


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 2**32),
    st.integers(1, 21),
    st.integers(0, 7),
    st.integers(8, 20),
    st.sampled_from([1, 127, 128, 255]),
    st.booleans(),
)
def test_random_layers(seed: int, channels: int, left: int, places: int, largest: int, paired: bool) -> None:
    program, arrays = network(seed, ("pointwise", "conv"), channels, left, places, largest)
    if paired:
        program = with_words(program, Tuning(paired_tile=3))
    source = generate(program, name="net")
    if largest << places < 2**29:
        assert "uint8_t" in source.files["net_weights.h"]
    (got,) = HostRunner(source).run([arrays])
    for own, wanted in zip(got, run_program(program, arrays), strict=True):
        np.testing.assert_array_equal(own, wanted)


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True),
        ({"largest": 256}, True),  # one bit
        ({"largest": 257}, False),
        ({"largest": 1, "places": 29}, False),  # four times as much is beyond int32
        ({"left": 15}, True),
    ],
)
def test_what_is_too_long(change: dict[str, int], fits: bool) -> None:
    given: dict[str, int] = {"left": 3, "places": 14, "largest": 255} | change
    program, _ = network(0, ("dense",), 5, **given)
    stage = program.stages[0]
    op: Any = stage.op
    if given["largest"] == 256:
        # The others are not: only the largest has one bit alone.
        fits = False
    found = short_constants(program, stage, op)
    assert (found is not None) == fits
    if found is not None:
        multiplier = found.multipliers.astype(np.int64) << found.multiplier_left
        np.testing.assert_array_equal(multiplier, 4 * known(program, stage, op.multiplier))
        bias = found.biases.astype(np.int64) << found.bias_left
        np.testing.assert_array_equal(bias, known(program, stage, op.b))


def test_they_are_for_networks_of_layers_that_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers that differ in the length of their constants share no functions."""
    program, _ = network(0, ("dense",) * 4)
    assert "uint8_t" in generate(program, name="net").files["net_weights.h"]
    # Long ones in two layers of four.
    known = short.short_constants
    count = iter(range(100))
    monkeypatch.setattr(short, "short_constants", lambda *a: known(*a) if next(count) % 2 else None)
    assert "uint8_t" not in generate(program, name="net").files["net_weights.h"]


def test_a_layer_of_many_rows_keeps_long_ones() -> None:
    """Two shifts for each channel of each row are more than a few bytes are worth."""
    builder = Builder("large")
    x = builder.input("x", TensorType((1, 64, 64, 4), DType.I8))
    numbers = [np.full(4, v, np.int32) for v in (64, 1 << 20, 0)]
    rng = np.random.default_rng(0)
    program = lowered(builder.build([builder.add(layer(builder, "conv", x, 4, numbers, rng), "y", "y")]))
    for optimize, small in (("balanced", False), ("speed", False), ("size", True)):
        tuning = Tuning(optimize=optimize)  # type: ignore[arg-type]
        assert ("uint8_t" in generate(program, name="net", tuning=tuning).files["net_weights.h"]) == small


@given(st.lists(st.integers(1, 255), min_size=1, max_size=9), st.integers(7, 22))
def test_multipliers_of_factors_that_stand_for_bytes(units: list[int], places: int) -> None:
    """As float32 numbers hold them; what is one part in a thousand off stands for no byte."""
    units[0] |= 128  # places are as many as leave the largest one byte
    factors = np.array(units) * 2.0**-places * (1 + 2.0**-24)
    found = fixed_point.byte_multipliers(factors)
    if max(units) >= 2**places:
        assert found is None
        return
    assert found is not None
    np.testing.assert_array_equal(found, np.array(units) << (31 - places))
    factors[-1] *= 1.001
    assert fixed_point.byte_multipliers(factors) is None
