from __future__ import annotations

import math

import numpy as np
import pytest

from tests.helpers import count
from tests.passes.checks import check, input_, numbers, unchanged
from tinyc.ir import Builder, DType
from tinyc.ir.ops import Clamp, Conv2d, Dense, DepthwiseConv2d, Maximum, MaxPool2d, Minimum, Pad
from tinyc.passes.core.facts import intersect
from tinyc.passes.tensor.fuse_activation import FuseActivation


@pytest.mark.parametrize("kind", ["conv2d", "depthwise_conv2d", "dense"])
@pytest.mark.parametrize("limits", [(0.0, 6.0), (0.0, math.inf), (-math.inf, 0.1), (-0.1, 0.1)])
def test_clamp_fuses(kind: str, limits: tuple[float, float]) -> None:
    b = Builder("m")
    x = input_(b, 1, 4, 4, 3)
    if kind == "conv2d":
        y = b.add(Conv2d(x, b.constant(numbers(5, 2, 2, 3))))
    elif kind == "dense":
        y = b.add(Dense(x, b.constant(numbers(5, 3))))
    else:
        y = b.add(DepthwiseConv2d(x, b.constant(numbers(2, 2, 3))))
    assert count(check(FuseActivation(), b.build([b.add(Clamp(y, *limits))]))) == {kind: 1}


LIMITS = [(-math.inf, math.inf), (0.0, 6.0), (-1.0, 0.5), (2.0, 3.0), (-3.0, -2.0), (0.0, 0.0)]


@pytest.mark.parametrize("first", LIMITS)
@pytest.mark.parametrize("second", LIMITS)
def test_limits_intersect(first: tuple[float, float], second: tuple[float, float]) -> None:
    x = np.linspace(-8, 8, 65)
    low, high = intersect(*first, *second)
    np.testing.assert_array_equal(np.clip(np.clip(x, *first), *second), np.clip(x, low, high))
    b = Builder("m")
    y = b.add(Clamp(b.add(Dense(input_(b, 7, 3), b.constant(numbers(4, 3)), None, *first)), *second))
    assert count(check(FuseActivation(), b.build([y]))) == {"dense": 1}


def test_clamp_moves_before_max_pool_and_pad() -> None:
    b = Builder("m")
    y = b.add(Conv2d(input_(b, 1, 6, 6, 3), b.constant(numbers(4, 1, 1, 3))))
    y = b.add(Pad(y, (0, 1, 0, 0), (0, 0, 1, 0), value=-5.0))
    y = b.add(Clamp(b.add(MaxPool2d(y, (3, 3), (2, 2), (1, 1, 1, 1))), min=0.0))
    after = check(FuseActivation(), b.build([y]))
    assert [n.op.mnemonic for n in after.nodes] == ["constant", "conv2d", "pad", "max_pool2d"]
    assert after.nodes[2].op.value == 0.0  # type: ignore[attr-defined]


@pytest.mark.parametrize("dtype", [DType.F32, DType.I8, DType.I64])
def test_maximum_and_minimum_become_clamps(dtype: DType) -> None:
    b = Builder("m")
    limit = b.constant(np.full((1, 3), 2, dtype.numpy))
    y = b.add(Minimum(b.add(Maximum(input_(b, 2, 3, dtype=dtype), limit)), b.constant(np.asarray(5, dtype.numpy))))
    assert count(check(FuseActivation(), b.build([y]))) == {"clamp": 2}


@pytest.mark.parametrize("limit", [[0.0, 1.0], [math.nan, math.nan], [[0.0], [0.0]]])
def test_other_maxima_stay(limit: object) -> None:
    b = Builder("m")
    unchanged(FuseActivation(), b.build([b.add(Maximum(input_(b, 2), b.constant(np.asarray(limit, np.float32))))]))


def test_numbers_a_float_does_not_hold_stay() -> None:
    b = Builder("m")
    limit = b.constant(np.asarray(2**53 + 1, np.int64))
    unchanged(FuseActivation(), b.build([b.add(Maximum(input_(b, 2, dtype=DType.I64), limit))]))
