"""The passes that leave out of recurrent layers' results what nobody takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tinyc.backends.interpreter import run_module
from tinyc.ir import Builder, DType, Module, TensorType, Value
from tinyc.ir.ops import Lstm, Reshape, Slice, Transpose
from tinyc.passes.tensor.keep_last import ForgetCell, KeepLast

STEPS, BATCH, INPUTS, HIDDEN = 5, 2, 3, 4


def entry(b: Builder, y: Value, number: int, count: int = 1) -> Value:
    return b.add(Slice(y, (number, 0, 0), (count, *y.shape[1:]), (1, 1, 1)))


def module(take: Callable[[Builder, Value], list[Value]], *, reverse: bool = False) -> Module:
    b = Builder("net")
    rng = np.random.default_rng(1)
    x = b.input("x", TensorType((STEPS, BATCH, INPUTS), DType.F32))
    shapes = ((4 * HIDDEN, INPUTS), (4 * HIDDEN, HIDDEN), (4 * HIDDEN,))
    weights = [b.constant(rng.standard_normal(s).astype(np.float32)) for s in shapes]
    usual = {"functions": Lstm.usual, "alpha": (0.0,) * 3, "beta": (0.0,) * 3}
    return b.build(take(b, b.add(Lstm(x, *weights, **usual, reverse=reverse, cell=True), "y")))


def layer(m: Module) -> Lstm:
    (found,) = [n.op for n in m.nodes if isinstance(n.op, Lstm)]
    return found


def same(before: Module, after: Module) -> None:
    x = [np.random.default_rng(2).standard_normal((STEPS, BATCH, INPUTS)).astype(np.float32)]
    for a, b in zip(run_module(before, x), run_module(after, x), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("reverse", [False, True])
def test_last_step_and_cell(reverse: bool) -> None:
    last = 0 if reverse else STEPS - 1
    m = module(lambda b, y: [entry(b, y, last), entry(b, y, STEPS)], reverse=reverse)
    after = KeepLast().run(ForgetCell().run(m))
    assert (layer(after).every, layer(after).cell) == (False, True)
    assert layer(after).type.shape[0] == 2
    same(m, after)


def test_under_other_shapes() -> None:
    def take(b: Builder, y: Value) -> list[Value]:
        flat = b.add(Reshape(y, (1, STEPS + 1, BATCH * HIDDEN)))
        cut = b.add(Slice(flat, (0, STEPS - 1, 0), (1, 1, BATCH * HIDDEN), (1, 1, 1)))
        return [b.add(Reshape(cut, (BATCH, HIDDEN)))]

    m = module(take)
    after = KeepLast().run(m)
    assert not layer(after).every
    same(m, after)


def test_a_cell_that_nobody_takes() -> None:
    m = module(lambda b, y: [entry(b, y, 0, STEPS)])
    after = KeepLast().run(ForgetCell().run(m))
    assert (layer(after).every, layer(after).cell) == (True, False)
    same(m, after)


@pytest.mark.parametrize(
    "take",
    [
        lambda b, y: [entry(b, y, STEPS - 1), entry(b, y, 0)],
        lambda b, y: [entry(b, y, STEPS - 2, 2)],
        lambda b, y: [b.add(Transpose(y, (1, 0, 2)))],
        lambda b, y: [b.add(Slice(y, (STEPS - 1, 0, 0), (1, 1, HIDDEN), (1, 1, 1)))],
        lambda b, y: [y],
    ],
)
def test_other_steps_are_needed(take: Callable[[Builder, Value], list[Value]]) -> None:
    m = module(take)
    assert KeepLast().run(m) is m
