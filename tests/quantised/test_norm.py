"""Norms of int8 and int16 at their corners: largest groups, limits, groups that hardly vary, the largest constants."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from tests.c.support import PARAMETERS, Case, check
from tests.quantised.reference import norm
from tinyc.ir import DType, TensorType, Value, fixed_point
from tinyc.ir.ops import QNorm
from tinyc.ir.ops.qnormalise import EPSILON_MOST, MOST_NORMALISED, NARROW, WIDE, Precision
from tinyc.ir.tensor import Array

WIDTHS = (DType.I8, DType.I16)
SIZES = (1, 2, 3, 17, 257, 5000, MOST_NORMALISED)


def groups(dtype: DType, count: int) -> Array:
    """[groups, count]: at the limits, all alike, with one that differs, and random."""
    rng, (low, high) = np.random.default_rng(count), dtype.limits
    x = np.full((8, count), low, dtype.numpy)
    x[1] = high
    x[2, : count // 2] = high
    x[3, 0], x[4, 0] = low + 1, high
    x[5] = rng.integers(low, high + 1, count)
    x[6] = np.clip(rng.normal(3, 1, count), low, high)
    x[7] = np.clip(rng.normal(0, high / 5, count), low, high)
    return x


def operator(
    x: Array, to: DType, zero: int, epsilon: int, centred: bool, largest: bool
) -> tuple[QNorm, tuple[Array, ...]]:
    """A norm of the last dimension, its results spread over their type, and its operands."""
    rng, form = np.random.default_rng(7), form_of(x, to)
    shape = (1, x.shape[1])
    g = np.full(shape, form.factor, np.int16) if largest else rng.integers(-form.factor, form.factor, shape, np.int16)
    b = np.full(shape, form.offset if largest else form.offset // 9, np.int32)
    arrays = (x, g, b)
    values = [Value(f"v{k}", TensorType(a.shape, DType.of(a.dtype))) for k, a in enumerate(arrays)]
    factor = to.limits[1] / form.largest * (1 if largest else 2)
    pair = fixed_point.to_multiplier(factor)
    return QNorm(*values, (1,), zero, epsilon, centred, *pair, 0, *to.limits, to), arrays


def form_of(x: Array, to: DType) -> Precision:
    return WIDE if DType.I16 in (DType.of(x.dtype), to) else NARROW


def corners() -> Iterator[tuple[QNorm, tuple[Array, ...]]]:
    for (dtype, to), count in itertools.product(itertools.product(WIDTHS, WIDTHS), SIZES):
        x = groups(dtype, count)
        for zero, epsilon in zip((0, *dtype.limits), (0, 1, EPSILON_MOST), strict=True):
            for centred in (True, False):
                yield operator(x, to, zero, epsilon, centred, largest=zero == 0)


def test_the_definition() -> None:
    """Against Python's integers, of any size."""
    for op, arrays in corners():
        got = op.run(arrays)
        last = arrays[0].shape[1] - 1
        for index in itertools.product(range(8), {0, last // 2, last}):
            assert got[index] == norm(op, index, *arrays), (op, index)


@pytest.mark.parametrize("build", PARAMETERS)
def test_the_c(build: str) -> None:
    check(
        [
            Case(f"norm_{k}", lambda *v, op=op: op.with_operands(v), arrays, constants=frozenset({1, 2}))
            for k, (op, arrays) in enumerate(corners())
            if op.count() < 5000 or op.is_wide()
        ],
        build,
    )


@pytest.mark.parametrize("to", WIDTHS)
@pytest.mark.parametrize("count", SIZES[1:])
@pytest.mark.parametrize("centred", [True, False])
def test_normalised_numbers_are_exact(to: DType, count: int, centred: bool) -> None:
    """Of int16 operands within half of their last place and 2^-28, whether the group varies by one step or by all."""
    op, arrays = operator(groups(DType.I16, count), to, 5, 0, centred, largest=False)
    x = arrays[0].astype(np.longdouble) - 5
    mean = x.mean(axis=1, keepdims=True) if centred else 0
    spread = np.sqrt(((x - mean) ** 2).mean(axis=1, keepdims=True))
    real = np.where(spread > 0, (x - mean) / np.where(spread > 0, spread, 1), 0)
    got = op.normalised(arrays[0]) * np.longdouble(2.0) ** -op.places()
    assert np.abs(got - real).max() <= 2.0 ** (-op.places() - 1) + 2.0**-28 * np.abs(real).max()
