from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.helpers import count
from tests.passes.checks import check, input_, unchanged
from tinyc.ir import Builder, DType, Module, Op, Value
from tinyc.ir.ops import (
    Add,
    Broadcast,
    Cast,
    Clamp,
    Concat,
    Div,
    Gather,
    Mul,
    Neg,
    Pad,
    ReduceMean,
    ReduceSum,
    Reshape,
    Slice,
    Sub,
    Tanh,
    Transpose,
    Where,
)
from tinyc.passes.tensor.simplify import Simplify

INF = float("inf")
Make = Callable[[Builder, Value], Op]


def between(make: Make, *shape: int, dtype: DType = DType.F32) -> Module:
    """An operator between two that stay, so that neither its operand nor its result is part of the interface."""
    b = Builder("m")
    x = b.add(Neg(input_(b, *shape, dtype=dtype)))
    return b.build([b.add(Neg(b.add(make(b, x))))])


def const(value: object, dtype: type = np.float32) -> Callable[[Builder], Value]:
    return lambda b: b.constant(np.asarray(value, dtype))


@pytest.mark.parametrize(
    "make",
    [
        lambda b, x: Reshape(x, (2, 3)),
        lambda b, x: Transpose(x, (0, 1)),
        lambda b, x: Broadcast(x, (2, 3)),
        lambda b, x: Pad(x, (0, 0), (0, 0), (0, 0), 1.0),
        lambda b, x: Slice(x, (0, 0), (2, 3), (1, 1)),
        lambda b, x: Concat((x,), 1),
        lambda b, x: Clamp(x),
        lambda b, x: Cast(x, DType.F32),
        lambda b, x: ReduceSum(x, ()),
        lambda b, x: Mul(x, b.constant(np.float32(1))),
        lambda b, x: Mul(b.constant(np.ones((1, 3), np.float32)), x),
        lambda b, x: Div(x, b.constant(np.ones(3, np.float32))),
        lambda b, x: Add(x, b.constant(np.float32(-0.0))),
        lambda b, x: Sub(x, b.constant(np.zeros((2, 1), np.float32))),
        lambda b, x: Where(b.constant(np.ones(3, bool)), x, b.constant(np.float32(1))),
    ],
)
def test_nothing_done_is_dropped(make: Make) -> None:
    assert count(check(Simplify(), between(make, 2, 3))) == {"neg": 2}


@pytest.mark.parametrize(
    "make",
    [
        lambda b, x: Transpose(x, (1, 0)),
        lambda b, x: Pad(x, (0, 0), (0, 0), (0, 1)),
        lambda b, x: Slice(x, (0, 2), (3, 3), (1, -1)),
        lambda b, x: Clamp(x, min=0.0),
        lambda b, x: ReduceSum(x, (0,)),
        lambda b, x: Mul(x, b.constant(np.asarray([1, 1, 2], np.float32))),
        lambda b, x: Mul(x, b.constant(np.ones((2, 1, 1), np.float32))),
        lambda b, x: Div(b.constant(np.float32(1)), x),
        lambda b, x: Sub(b.constant(np.float32(0)), x),
        lambda b, x: Where(b.constant(np.ones((2, 1, 1), bool)), x, b.constant(np.float32(1))),
        lambda b, x: Where(b.constant(np.asarray([True, True, False])), x, b.constant(np.float32(1))),
    ],
)
def test_something_done_stays(make: Make) -> None:
    unchanged(Simplify(), between(make, 3, 3))


def test_reduction_of_size_one() -> None:
    assert count(check(Simplify(), between(lambda b, x: ReduceMean(x, (1,)), 2, 1))) == {"neg": 2}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda x: Reshape(x, (4, 3)), lambda x: Reshape(x, (12,))),
        (lambda x: Transpose(x, (2, 0, 1)), lambda x: Transpose(x, (1, 0, 2))),
        (lambda x: Pad(x, (1, 0, 0), (0, 2, 0), (), 0.1), lambda x: Pad(x, (1, 1, 1), (0, 0, 0), (), 0.1)),
        (lambda x: Slice(x, (1, 1, 2), (1, 2, 3), (1, -1, -1)), lambda x: Slice(x, (0, 1, 0), (1, 1, 2), (1, 1, 2))),
        (lambda x: Clamp(x, -1.0, 0.5), lambda x: Clamp(x, 0.0, 2.0)),
        (lambda x: Clamp(x, -1.0, 0.5), lambda x: Clamp(x, 1.0, 2.0)),
    ],
)
def test_pairs_merge(first: Callable[[Value], Op], second: Callable[[Value], Op]) -> None:
    shape = (2, 2, 3)
    b = Builder("m")
    x = b.add(first(b.add(Neg(input_(b, *shape)))))
    after = check(Simplify(), b.build([b.add(Neg(b.add(second(x))))]))
    assert len(after.nodes) == 3


@pytest.mark.parametrize(("value", "between_"), [(0.0, (0, 0)), (-0.0, (0, 0)), (1.0, (1, 0))])
def test_different_pads_do_not_merge(value: float, between_: tuple[int, ...]) -> None:
    b = Builder("m")
    x = b.add(Pad(input_(b, 2, 3), (1, 0), (0, 0), (), value if value else -value))
    unchanged(Simplify(), b.build([b.add(Pad(x, (0, 1), (0, 0), between_, 1.0 if value == 1.0 else value + 2.0))]))


@pytest.mark.parametrize("make", [lambda b, x: Transpose(x, (0, 3, 1, 2)), lambda b, x: Broadcast(x, (1, 1, 1, 1, 6))])
def test_views_become_reshapes(make: Make) -> None:
    assert count(check(Simplify(), between(make, 1, 1, 1, 6))) == {"neg": 2, "reshape": 1}


def test_reshape_with_two_uses_does_not_sink() -> None:
    b = Builder("m")
    x = b.add(Reshape(input_(b, 2, 6), (12,)))
    unchanged(Simplify(), b.build([b.add(Tanh(x)), x]))


def test_elementwise_broadcasts_by_itself() -> None:
    b = Builder("m")
    y = b.add(Broadcast(input_(b, 1, 3), (2, 3)))
    assert count(check(Simplify(), b.build([b.add(Add(input_(b, 2, 3), y))]))) == {"add": 1}
    b = Builder("m")
    y = b.add(Broadcast(input_(b, 1, 3), (2, 3)))
    unchanged(Simplify(), b.build([b.add(Add(y, y))]))


def slice_of_parts(start: int, size: int, step: int) -> Module:
    b = Builder("m")
    parts = tuple(b.add(Neg(input_(b, 2, n))) for n in (3, 2, 4))
    return b.build([b.add(Slice(b.add(Concat(parts, 1)), (1, start), (1, size), (1, step)))])


@pytest.mark.parametrize(("start", "size", "step"), [(0, 3, 1), (3, 2, 1), (4, 2, -1), (5, 2, 3)])
def test_slice_of_one_part(start: int, size: int, step: int) -> None:
    assert count(check(Simplify(), slice_of_parts(start, size, step))) == {"neg": 1, "slice": 1}


@pytest.mark.parametrize(("start", "size", "step"), [(0, 4, 1), (5, 2, -1)])
def test_slice_of_two_parts(start: int, size: int, step: int) -> None:
    unchanged(Simplify(), slice_of_parts(start, size, step))


@pytest.mark.parametrize("indices", [2, [2], [0, 1], [3, 1], [-5, 1], [[1, 2], [3, 4]], [9]])
def test_gather_of_evenly_spaced_entries(indices: object) -> None:
    after = check(Simplify(), between(lambda b, x: Gather(x, const(indices, np.int64)(b), 1), 2, 5))
    assert count(after)["gather"] == 0


@pytest.mark.parametrize("indices", [[0, 1, 3], [1, 1]])
def test_gather_of_other_entries(indices: object) -> None:
    unchanged(Simplify(), between(lambda b, x: Gather(x, const(indices, np.int64)(b), 1), 2, 5))


@pytest.mark.parametrize(("low", "high"), [(DType.I8, DType.I32), (DType.U8, DType.F32), (DType.I32, DType.I64)])
def test_cast_to_a_wider_type_first(low: DType, high: DType) -> None:
    b = Builder("m")
    x = b.add(Cast(input_(b, 2, 3, dtype=low), high))
    assert count(check(Simplify(), b.build([b.add(Cast(x, DType.BOOL))]))) == {"cast": 1}
    assert count(check(Simplify(), b.build([b.add(Cast(x, low)), x]))) == {"cast": 2}


@pytest.mark.parametrize(("first", "second"), [(DType.I32, DType.F32), (DType.F32, DType.I8), (DType.I8, DType.U8)])
def test_cast_that_loses_stays(first: DType, second: DType) -> None:
    b = Builder("m")
    x = b.add(Cast(input_(b, 2, 3, dtype=first), second))
    unchanged(Simplify(), b.build([b.add(Cast(x, DType.I64))]))


def test_division_by_powers_of_two() -> None:
    module = between(lambda b, x: Div(x, b.constant(np.asarray([2, -0.25, 2.0**127], np.float32))), 4, 3)
    assert count(check(Simplify(), module)) == {"neg": 2, "mul": 1}


@pytest.mark.parametrize("divisor", [3.0, 0.0, INF, 1e-40])
def test_division_by_others_stays(divisor: float) -> None:
    unchanged(Simplify(), between(lambda b, x: Div(x, b.constant(np.float32(divisor))), 4, 3))
