"""Our integer operators against the real ESP-NN, ANSI and generic optimised C, bit for bit.

Runs where ESP_NN_PATH names a folder with ESP-NN built for this computer (docs/kernels.md; version 1.2.3 was used).
Left out is what the library does not do, each with its reason where it is left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from tests.generate import Grower
from tests.quantised.esp_nn import EspNN, load
from tests.quantised.support import Case, Maker, cases
from tinyc.ir import Op, TensorType, Value, fixed_point
from tinyc.ir import ops as o
from tinyc.ir.ops.int8 import drawn_zero
from tinyc.ir.types import DType

pytestmark = pytest.mark.slow

CASES = 2000
VARIANTS = ["ansi", "opt"]


@pytest.fixture(scope="module")
def esp_nn(tmp_path_factory: pytest.TempPathFactory) -> EspNN:
    path = os.environ.get("ESP_NN_PATH")
    if not path or not (Path(path) / "libesp-nn.a").exists():
        pytest.skip("ESP_NN_PATH does not name a folder with libesp-nn.a, built for this computer")
    return EspNN(load(Path(path).resolve(), tmp_path_factory.mktemp("esp_nn")))


def taken(maker: Maker, fits: Callable[[Any], bool] = lambda op: True) -> Iterator[Case]:
    """As many cases as there must be, of those that the library can compute."""
    return islice((case for case in cases(maker) if fits(case[0])), CASES)


def undilated(op: o.QConvolution | o.QAvgPool2d | o.MaxPool2d) -> bool:
    """The library ignores dilation, or has no parameter for it."""
    return op.dilations == (1, 1)


def test_requantisation(esp_nn: EspNN) -> None:
    """A million random sums, multipliers and shifts, many at their corners; shifted left the sums fit int32. Of half of
    them the result is about an int8."""
    rng = np.random.default_rng(1)
    low, high = fixed_point.INT32
    size = 1_000_000
    shift = rng.integers(-31, 31, size)
    corners = rng.choice([0, 1, 2**30, 2**30 + 1, high - 1, high], size)
    multiplier = np.where(rng.random(size) < 0.2, corners, rng.integers(2**30, 2**31, size))
    x = np.where(rng.random(size) < 0.5, rng.integers(low, high + 1, size), rng.integers(-(2**16), 2**16, size))
    x = np.where(rng.random(size) < 0.1, rng.choice([low, low + 1, high, high - 1, 0, 1, -1], size), x)
    near = rng.uniform(-140, 140, size) * 2.0**31 / np.maximum(multiplier, 1) * 2.0**-shift
    x = np.where(rng.random(size) < 0.5, np.clip(np.rint(near), low, high).astype(np.int64), x)
    x >>= np.maximum(shift, 0)
    expected = np.clip(fixed_point.requantise(x, multiplier, shift), -128, 127)
    assert (np.abs(expected) < 127).mean() > 0.4
    got = esp_nn.requantise(*(a.astype(np.int32) for a in (x, multiplier, shift)))
    np.testing.assert_array_equal(expected, got)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("largest", [1, 3])
def test_convolution(esp_nn: EspNN, variant: str, largest: int) -> None:
    def fits(op: o.QConv2d) -> bool:
        # The optimised convolution with a 1x1 window ignores pads and groups.
        plain = op.pads == (0, 0, 0, 0) and op.groups == 1
        return undilated(op) and (plain or variant == "ansi" or op.window() != (1, 1))

    met = set()
    for op, arrays in taken(lambda g: g.add(o.QConv2d.sample(g, largest)), fits):
        assert isinstance(op, o.QConv2d)
        np.testing.assert_array_equal(op.run(arrays), esp_nn.convolution(op, arrays, variant), err_msg=str(op))
        met.add((op.groups > 1, op.pads[:2] != op.pads[2:], op.strides[0] != op.strides[1]))
    assert len(met) == (2 if (variant, largest) == ("opt", 1) else 8)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("multiplied", [False, True])
def test_depthwise(esp_nn: EspNN, variant: str, multiplied: bool) -> None:
    def fits(op: o.QDepthwiseConv2d) -> bool:
        return undilated(op) and (op.channel_multiplier() > 1) == multiplied

    for op, arrays in taken(o.QDepthwiseConv2d, fits):
        assert isinstance(op, o.QDepthwiseConv2d)
        np.testing.assert_array_equal(op.run(arrays), esp_nn.convolution(op, arrays, variant), err_msg=str(op))


@pytest.mark.parametrize("per_channel", [False, True])
def test_dense(esp_nn: EspNN, per_channel: bool) -> None:
    for number, (op, arrays) in enumerate(taken(o.QDense)):
        assert isinstance(op, o.QDense)
        if not per_channel:
            # One factor for all outputs: the one with the smallest shift, by which every sum still fits int32.
            chosen = int(np.argmin(arrays[4]))
            arrays = [*arrays[:3], *(np.full_like(a, a[chosen]) for a in arrays[3:])]
        got = esp_nn.dense(op, arrays, drawn_zero(Grower(Random(number))), per_channel)
        np.testing.assert_array_equal(op.run(arrays), got, err_msg=str(op))


@pytest.mark.parametrize("kind", [o.QAvgPool2d, o.MaxPool2d])
def test_pooling(esp_nn: EspNN, kind: type[Op]) -> None:
    for op, (x,) in taken(kind, lambda op: undilated(op) and op.x.dtype is DType.I8):
        assert isinstance(op, o.QAvgPool2d | o.MaxPool2d)
        np.testing.assert_array_equal(op.run([x]), esp_nn.pool(op, x), err_msg=str(op))


@pytest.mark.parametrize("kind", [o.QAdd, o.QMul, o.QMean])
def test_elementwise_and_mean(esp_nn: EspNN, kind: type[Op]) -> None:
    # The library's mean has no limits but those of int8.
    for op, arrays in taken(kind, lambda op: not isinstance(op, o.QMean) or (op.min, op.max) == (-128, 127)):
        name = {o.QAdd: "add", o.QMul: "mul", o.QMean: "mean"}[type(op)]
        got = getattr(esp_nn, name)(op, *arrays)
        np.testing.assert_array_equal(op.run(arrays), got, err_msg=str(op))


@pytest.mark.parametrize("variant", VARIANTS)
def test_softmax(esp_nn: EspNN, variant: str) -> None:
    """Rows of up to 511 entries: from 512 on, a sum of exponentials may need a shift that C does not define."""
    rng = np.random.default_rng(3)
    for _ in range(CASES):
        shape = (int(rng.integers(1, 4)), int(rng.choice([1, 2, 3, 10, 100, 511])))
        # Some rows spread over all of int8, some hardly: their entries are all alike.
        x = (rng.integers(-128, 128, shape) // int(rng.choice([1, 1, 2, 30, 128]))).astype(np.int8)
        scaling = fixed_point.softmax_scaling(float(np.exp(rng.uniform(-18, 3))))
        op = o.QSoftmax(Value("x", TensorType(shape, DType.I8)), *scaling)
        np.testing.assert_array_equal(op.run([x]), esp_nn.softmax(op, x, variant), err_msg=str(op))
