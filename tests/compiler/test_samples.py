"""Seeded inputs reach the limits inside a network, on both sides, and stay what they were where they do already."""

from __future__ import annotations

import numpy as np
import pytest

from tinyc.backends.interpreter import run_module
from tinyc.compiler.data.samples import sample_inputs
from tinyc.ir import Builder, DType, Module, TensorType, Value
from tinyc.ir.ops import Add, Cast, Clamp, Exp, Mul
from tinyc.ir.tensor import Array

F32 = DType.F32


def limited(factor: float, shift: float = 0.0, *, cast: bool = False, exponential: bool = False) -> Module:
    """relu6(x * factor + shift)."""
    b = Builder("m")
    x = b.input("x", TensorType((1, 4, 12, 5), F32))
    scaled = b.add(Mul(x, b.constant(np.float32(factor))))
    y = b.add(Clamp(b.add(Add(scaled, b.constant(np.float32(shift)))), 0.0, 6.0))
    if exponential:
        y = b.add(Exp(b.add(Mul(x, b.constant(np.float32(3))))))
        y = b.add(Add(y, b.add(Clamp(scaled, 0.0, 6.0))))
    return b.build([b.add(Cast(y, DType.I32)) if cast else y])


def taken(module: Module, sets: list[list[Array]]) -> Array:
    """What the limited value is before its limits, over all sets."""
    (clamp,) = (n.op for n in module.nodes if isinstance(n.op, Clamp))
    found: list[Array] = []

    def watch(value: Value, array: Array) -> None:
        if value == clamp.x:
            found.append(array.reshape(-1))

    for arrays in sets:
        run_module(module, arrays, watch)
    return np.concatenate(found)


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.0), (0.05, 0.0), (1 / 255, 1.0), (0.002, 3.0), (0.004, -2.0)])
def test_limits_are_reached_from_both_sides(factor: float, shift: float) -> None:
    module = limited(factor, shift)
    before = taken(module, sample_inputs(module))
    assert before.min() < 0
    assert before.max() > 6
    assert ((before > 0) & (before < 6)).mean() > 0.01


def test_ordinary_inputs_stay_where_they_suffice() -> None:
    enough, quiet = sample_inputs(limited(1.0)), sample_inputs(limited(0.01))
    np.testing.assert_array_equal(enough[0][0], quiet[0][0])
    assert np.abs(enough[1][0]).max() <= 10
    louder = quiet[1][0]
    np.testing.assert_array_equal(louder[:, :, :6], enough[1][0][:, :, :6])
    assert np.abs(louder[:, :, 6:]).max() > 100


def test_limits_behind_integers_are_reached_as_well() -> None:
    module = limited(0.01, cast=True)
    assert taken(module, sample_inputs(module)).max() > 6


def test_infinities_are_left_alone() -> None:
    assert max(np.abs(a).max() for s in sample_inputs(limited(0.001, exponential=True)) for a in s) <= 10
