from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.helpers import count
from tests.passes.integerise.support import Net, check, integerised, stays
from tinyc.ir import DType, Op, TensorType, Value
from tinyc.ir.ops import (
    Broadcast,
    Concat,
    Conv2d,
    Dense,
    Dequantize,
    Gather,
    Maximum,
    MaxPool2d,
    Minimum,
    Pad,
    Quantize,
    ReduceMax,
    ReduceMin,
    Reshape,
    Slice,
    Transpose,
)

MOVES: list[Callable[[Value], Op]] = [
    lambda x: Reshape(x, (4, 12)),
    lambda x: Transpose(x, (0, 3, 1, 2)),
    lambda x: Slice(x, (0, 1, 3, 0), (1, 2, 2, 3), (1, 1, -2, 1)),
    lambda x: Broadcast(x, (2, 4, 4, 3)),
    lambda x: Pad(x, (0, 1, 0, 0), (0, 0, 2, 1), (0, 1, 0, 0)),
    lambda x: Pad(x, (0, 1, 0, 0), (0, 0, 2, 1), value=-0.5),
    lambda x: MaxPool2d(x, (2, 2), (1, 1), (1, 1, 0, 0)),
    lambda x: ReduceMax(x, (1, 2)),
    lambda x: ReduceMin(x, (3,)),
]


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("rescale", [False, True])
def test_moves_work_on_int8(move: Callable[[Value], Op], rescale: bool) -> None:
    n = Net()
    op = move(n.input(1, 4, 4, 3, scale=0.05, zero=3))
    y = n.op(op, 0.07 if rescale else 0.05, zero=3)
    check(n.integers(y), {op.mnemonic: 1, **({"lookup": 1} if rescale else {})}, exact=True)


@pytest.mark.parametrize("move", [*MOVES[:2], *MOVES[3:7]])
def test_quantize_rises_to_what_computes(move: Callable[[Value], Op]) -> None:
    """A convolution's float result is moved, then quantized."""
    n = Net()
    x = n.b.add(Conv2d(n.input(1, 6, 6, 3), n.weights(3, 3, 3, 3)))
    op = move(x)
    check(n.integers(n.op(op, 0.05)), {"qconv2d": 1, op.mnemonic: 1})


def test_quantize_rises_to_the_input() -> None:
    n = Net()
    x = n.b.input("image", TensorType((1, 3, 4, 4), DType.F32))
    y = n.op(Conv2d(n.qdq(n.b.add(Transpose(x, (0, 2, 3, 1))), 0.03), n.weights(3, 3, 3, 3)), 0.05)
    after = check(n.integers(y), {"quantize": 1, "transpose": 1, "qconv2d": 1})
    assert [m.op.mnemonic for m in after.users[after.inputs[0]]] == ["quantize"]


def test_a_slice_of_a_large_float_value_is_quantized_alone() -> None:
    n = Net()
    x = n.b.input("image", TensorType((1000,), DType.F32))
    y = n.q(n.b.add(Slice(x, (0,), (2,), (1,))), 0.03)
    stays(n.b.build([y]), "would be quantized for a part of it", ["quantize"])


def test_gather() -> None:
    n = Net()
    indices = n.b.constant(np.array([2, 0, 2]))
    check(n.integers(n.op(Gather(n.input(4, 3), indices, 0), 0.05, zero=3)), {"gather": 1}, exact=True)


def test_a_table_of_weights_stays_integers() -> None:
    """An embedding: integers are gathered, and the table stays a fourth of its size in float."""
    n = Net()
    table = n.dq(n.b.constant(n.rng.integers(-128, 128, (100, 8)).astype(np.int8)), 0.05, 0)
    words = n.b.input("words", TensorType((6,), DType.I32))
    check(n.integers(n.op(Gather(table, words, 0), 0.05, zero=0)), {"gather": 1}, exact=True)


@pytest.mark.parametrize("kind", [Maximum, Minimum])
def test_larger_and_smaller(kind: type[Maximum | Minimum]) -> None:
    n = Net()
    y = n.op(kind(n.input(3, 5), n.input(3, 5)), 0.05, zero=3)
    check(n.integers(y), {kind.mnemonic: 1}, exact=True)


def test_larger_of_different_scales_stays() -> None:
    n = Net()
    x, y = n.input(3, 5), n.input(3, 5, scale=0.02)
    # Quantize rises above it, and then both operands are int8 of one scale.
    check(n.integers(n.op(Maximum(x, y), 0.05, zero=3)), {"lookup": 1, "maximum": 1}, exact=True)


def test_concat_at_one_scale() -> None:
    n = Net()
    y = n.op(Concat((n.input(1, 4, 4, 3), n.input(1, 4, 4, 2)), 3), 0.05, zero=3)
    check(n.integers(y), {"concat": 1}, exact=True)


def test_concat_rescales_the_operand_that_deviates() -> None:
    n = Net()
    y = n.op(Concat((n.input(1, 4, 4, 3), n.input(1, 4, 4, 2, scale=0.03)), 3), 0.05, zero=3)
    check(n.integers(y), {"concat": 1, "lookup": 1}, exact=True)


def test_concat_of_convolutions() -> None:
    n = Net()
    x = n.input(1, 4, 4, 3)
    branches = tuple(n.b.add(Conv2d(x, n.weights(k, 1, 1, 3))) for k in (2, 3))
    check(n.integers(n.op(Concat(branches, 3), 0.05)), {"qconv2d": 2, "concat": 1})


def test_concat_of_one_value_twice() -> None:
    n = Net()
    y = n.b.add(Dense(n.input(1, 7), n.weights(4, 7)))
    check(n.integers(n.op(Concat((y, y), 1), 0.05)), {"qdense": 1, "concat": 1})


def test_concat_in_float_stays() -> None:
    n = Net()
    y = n.b.add(Concat((n.input(1, 4), n.input(1, 4, scale=0.02)), 1))
    stays(n.b.build([y]), "its operands have different scales", ["concat"])


def test_a_value_without_integer_stays() -> None:
    n = Net()
    y = n.b.add(Pad(n.input(1, 4), (0, 1), (0, 0), value=0.026))
    stays(n.b.build([y]), "no int8 value stands for the pad value", ["pad"])


def test_moves_needed_in_float_as_well() -> None:
    n = Net()
    x = n.b.input("x", TensorType((4, 3), DType.F32))
    y = n.b.add(Transpose(x, (1, 0)))
    stays(n.b.build([n.q(y, 0.05), y]), "is needed in float as well", ["transpose"])


def test_moved_constants_are_constants() -> None:
    n = Net()
    weights = n.dq(n.b.constant(n.rng.integers(-127, 128, (7, 4)).astype(np.int8)), 0.01, 0)
    y = n.op(Dense(n.input(1, 7), n.b.add(Transpose(weights, (1, 0)))), 0.05)
    check(n.integers(y), {"qdense": 1})


def test_a_chain_of_scales() -> None:
    """quantize(dequantize) with equal parameters is nothing."""
    n = Net()
    x = n.input(3, 5)
    for _ in range(3):
        x = n.qdq(x, 0.05, 3)
    module = n.b.build([n.b.add(Reshape(x, (5, 3)))])
    after = integerised(module)
    assert count(after) == {"reshape": 1, "dequantize": 1}
    assert isinstance(after.nodes[-1].op, Dequantize)


def test_uint8_becomes_int8() -> None:
    n = Net()
    x = n.b.input("x", TensorType((1, 6, 6, 3), DType.F32))
    first = n.dq(n.q(x, 0.05, 131, DType.U8), 0.05, 131)
    w = n.weights(4, 3, 3, 3)
    second = n.q(n.b.add(Conv2d(first, w)), 0.05, 120, DType.U8)
    # Between the layers, a uint8 value is moved without a conversion of its own.
    moved = n.b.add(Reshape(n.b.add(MaxPool2d(second, (2, 2), (2, 2))), (1, 16)))
    y = n.qdq(n.b.add(Dense(n.dq(moved, 0.05, 120), n.weights(5, 16))), 0.05)
    check(n.integers(y), {"quantize": 1, "qconv2d": 1, "max_pool2d": 1, "reshape": 1, "qdense": 1})


def test_uint8_ports_keep_an_exact_conversion() -> None:
    n = Net()
    x = n.b.input("x", TensorType((4, 60), DType.U8))
    y = n.q(n.b.add(Dense(n.dq(x, 0.05, 131), n.weights(5, 60))), 0.2, 7, DType.U8)
    check(n.b.build([y]), {"cast": 2, "add": 2, "qdense": 1})


def test_uint8_padding() -> None:
    n = Net()
    x = n.q(n.b.input("x", TensorType((1, 6), DType.F32)), 0.05, 131, DType.U8)
    y = n.b.add(Pad(x, (0, 2), (0, 0), value=131.0))
    module = n.b.build([n.q(n.dq(y, 0.05, 131), 0.05, 3)])
    check(module, {"quantize": 1, "pad": 1}, exact=True)


def test_float_modules_are_left_alone() -> None:
    n = Net()
    x = n.b.input("x", TensorType((1, 7), DType.F32))
    module = n.b.build([n.b.add(Dense(x, n.numbers(4, 7))), n.b.add(Reshape(x, (7,)))])
    assert integerised(module) is module


def test_a_quantize_of_an_input_stays() -> None:
    n = Net()
    x = n.b.input("x", TensorType((1, 7), DType.F32))
    module = n.b.build([n.b.add(Quantize(x, 0.1))])
    assert integerised(module) is module
