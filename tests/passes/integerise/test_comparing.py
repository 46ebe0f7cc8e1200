"""Comparisons of int8 values, as the float32 numbers compare that they stand for, and choices by them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.helpers import count, run
from tests.passes.integerise.support import Net, check, integerised, stays
from tinyc.ir import DType, Module, Op, TensorType, Value
from tinyc.ir.ops import Add, And, Cast, Equal, Exp, Less, Mul, Or, Round, Where
from tinyc.ir.tensor import Array

INT8 = np.arange(-128, 128).astype(np.int8)


def all_pairs(
    make: Callable[[Net, Value, Value], Value], first: tuple[float, int], second: tuple[float, int]
) -> Module:
    """A module of two int8 operands of 256 rows and columns, which gives what is made of them."""
    n = Net()
    x, y = n.input(256, 1, scale=first[0], zero=first[1]), n.input(1, 256, scale=second[0], zero=second[1])
    return n.b.build([make(n, x, y)])


def reals(scale: float, zero: int) -> Array:
    """What all int8 values stand for."""
    return (INT8 - np.float32(zero)) * np.float32(scale)


def at_most(n: Net, x: Value, y: Value) -> Value:
    """x <= y, as it is imported."""
    return n.b.add(Or(n.b.add(Less(x, y)), n.b.add(Equal(x, y))))


PAIRS = [((0.05, 3), (0.05, 3)), ((0.05, 3), (0.05, -7)), ((0.05, -128), (0.013, 127)), ((0.5, 0), (0.25, 60))]
COMPARED: dict[str, tuple[Callable[[Net, Value, Value], Value], Callable[[Array, Array], Array]]] = {
    "less": (lambda n, x, y: n.b.add(Less(x, y)), np.less),
    "greater": (lambda n, x, y: n.b.add(Less(y, x)), np.greater),
    "equal": (lambda n, x, y: n.b.add(Equal(x, y)), np.equal),
    "at most": (at_most, np.less_equal),
}


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize(("first", "second"), [*PAIRS, *(pair[::-1] for pair in PAIRS)])
def test_two_values_at_all_pairs(name: str, first: tuple[float, int], second: tuple[float, int]) -> None:
    make, meant = COMPARED[name]
    after = integerised(all_pairs(make, first, second))
    assert not any(v.dtype.is_float for node in after.nodes for v in (node.result, *node.op.operands))
    (found,) = run(after, [INT8.reshape(-1, 1), INT8.reshape(1, -1)])
    np.testing.assert_array_equal(found, meant(reals(*first)[:, None], reals(*second)[None, :]))


def test_less_or_equal_is_one_comparison() -> None:
    after = integerised(all_pairs(at_most, (0.05, 3), (0.013, 4)))
    assert count(after) == {"lookup": 1, "less": 1} or count(after) == {"lookup": 1, "less": 1, "not": 1}


@pytest.mark.parametrize("number", [-100.0, -0.3, 0.0, 0.015, 0.02, 2.0, 100.0, np.inf, -np.inf])
@pytest.mark.parametrize("below", [True, False])
def test_a_value_and_a_number(number: float, below: bool) -> None:
    """Beyond the ends, and between and at the numbers of two int8 values."""
    n = Net()
    x, c = n.input(256, scale=0.01, zero=-3), n.b.constant(np.float32(number))
    module = n.b.build([n.b.add(Less(x, c) if below else Less(c, x))])
    (found,) = run(integerised(module), [INT8])
    real = reals(0.01, -3)
    np.testing.assert_array_equal(found, real < np.float32(number) if below else np.float32(number) < real)


@pytest.mark.parametrize("below", [True, False])
@pytest.mark.parametrize("beyond", [-9.0, 9.0])
def test_numbers_of_channels(below: bool, beyond: float) -> None:
    n = Net()
    numbers = np.array([beyond, 0.5, -0.25, 0.1], np.float32)
    x, c = n.input(256, 4, scale=0.01, zero=-3), n.b.constant(numbers)
    module = n.b.build([n.b.add(Less(x, c) if below else Less(c, x))])
    (found,) = run(integerised(module), [np.repeat(INT8[:, None], 4, 1)])
    real = reals(0.01, -3)[:, None]
    np.testing.assert_array_equal(found, real < numbers if below else numbers < real)


def test_conditions_of_functions_are_tables() -> None:
    n = Net()
    x = n.input(256, scale=0.03)
    rounded = n.b.add(Round(x))
    module = n.b.build([n.b.add(Equal(rounded, n.b.constant(np.float32(1.0)))), n.b.add(Cast(rounded, DType.I64))])
    after = integerised(module)
    assert count(after) == {"lookup": 2, "cast": 2}
    for a, b in zip(run(module, [INT8]), run(after, [INT8]), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("scale", [0.05, 0.031])
def test_choices_of_values(scale: float) -> None:
    """Of one scale they choose integers as they are; else tables bring them to the result's."""
    n = Net()
    x, y = n.input(6, 40), n.input(6, 40, scale=scale)
    chosen = n.op(Where(n.b.add(Less(x, y)), x, y), 0.05, 3)
    check(n.integers(chosen), {"less": 1, "where": 1, **({"lookup": 2, "not": 1} if scale != 0.05 else {})}, exact=True)


def test_numbers_that_float32_makes_equal_are_equal() -> None:
    """0.5 is 10 steps of 0.05, which is less as float32."""
    n = Net()
    x, c = n.input(6, 40), n.b.constant(np.float32(0.5))
    chosen = n.op(Where(n.b.add(Less(c, x)), x, n.input(6, 40)), 0.05, 3)
    check(n.integers(chosen), {"less": 1, "where": 1}, exact=True)


def test_conditions_of_several_values() -> None:
    n = Net()
    zero = n.b.constant(np.float32(0.0))
    both = n.b.add(And(*(n.b.add(Less(n.input(6, 40), zero)) for _ in range(2))))
    check(
        n.integers(n.op(Where(both, n.input(6, 40), n.input(6, 40)), 0.05, 3)), {"less": 2, "and": 1, "where": 1}, True
    )


def test_a_boolean_as_a_number() -> None:
    n = Net()
    x, y = n.input(6, 40), n.input(6, 40, scale=0.01)
    gate = n.op(Cast(n.b.add(Less(x, y)), DType.F32), 1 / 255, -128)
    check(n.integers(n.op(Mul(x, gate), 0.05)), {"lookup": 1, "less": 1, "not": 1, "where": 1, "qmul": 1})


def test_a_function_with_a_condition_stays_one_table() -> None:
    n = Net()
    x, zero = n.input(6, 40), n.b.constant(np.float32(0.0))
    low = n.b.add(Add(n.b.add(Exp(x)), n.b.constant(np.float32(-1.0))))
    check(n.integers(n.op(Where(n.b.add(Less(x, zero)), low, x), 0.05)), {"lookup": 1}, exact=True)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda n, x, f: Less(x, f), "is not a dequantized int8 value"),
        (lambda n, x, f: Less(x, n.b.constant(np.float32(np.nan))), "a number of it is none"),
        (lambda n, x, f: Less(x, n.b.constant(np.array([9.0, -9.0], np.float32))), "and some above"),
        (lambda n, x, f: Cast(n.b.add(Mul(x, n.b.constant(np.float32(99.0)))), DType.I32), "not all of its integers"),
    ],
)
def test_what_has_no_form_stays(make: Callable[[Net, Value, Value], Op], reason: str) -> None:
    n = Net()
    x, f = n.input(6, 2), n.b.input("f", TensorType((6, 2), DType.F32))
    op = make(n, x, f)
    stays(n.b.build([n.b.add(op)]), reason, [op.mnemonic])


def test_a_condition_of_floats_stays() -> None:
    n = Net()
    x, f = n.input(6, 2), n.b.input("f", TensorType((6, 2), DType.F32))
    decides = n.b.add(Less(x, n.b.constant(np.float32(0.5))))
    stays(n.b.build([n.b.add(Where(decides, f, f))]), "it decides between floats", ["less", "where"])
