"""Comparisons on integers against those of the numbers that they stand for, and finite masks against infinite ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.passes.integerise.support import Net
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.integers import check_integers
from tinyc.compiler.witness.masks import check_masks
from tinyc.ir import Builder, DType, Module, TensorType
from tinyc.ir.module import Node
from tinyc.ir.ops import Add, Constant, Less, Not, Softmax, Where
from tinyc.ir.tensor import Array, Tensor
from tinyc.passes.integerise import Integerise

INT8 = np.arange(-128, 128).astype(np.int8)
SAMPLES = [[INT8.reshape(-1, 1), INT8.reshape(1, -1)]]


def compared(second: float) -> Module:
    """All pairs of int8 values, compared and chosen among."""
    n = Net()
    x, y = n.input(256, 1), n.input(1, 256, scale=second)
    less = n.b.add(Less(x, y))
    return n.integers(n.op(Where(less, x, n.b.add(Add(x, y))), 0.3), less)


def changed(module: Module, kind: type, change: Callable[[Node], Node]) -> Module:
    """The module with its operators of a class changed."""
    nodes = tuple(change(n) if isinstance(n.op, kind) else n for n in module.nodes)
    return Module(module.name, module.inputs, nodes, module.outputs)


def entry(node: Node) -> Node:
    """An entry of a table of 256 one more; other constants as they are."""
    data: Array = node.op.constant()  # type: ignore[assignment]
    if data.shape != (256,):
        return node
    other = data.copy()
    other[100] += 1
    return Node(node.result, Constant(Tensor(other)), node.loc)


def not_negated(node: Node) -> Node:
    """What is negated, in place of its negation."""
    return Node(node.result, Where(node.op.operands[0], node.op.operands[0], node.op.operands[0]), node.loc)


@pytest.mark.parametrize("second", [0.05, 0.031])
def test_comparisons_have_a_witness(second: float) -> None:
    quantised = compared(second)
    found = check_integers(quantised, Integerise().run(quantised), SAMPLES, lambda _: None)
    assert not found.left


@pytest.mark.parametrize(
    ("kind", "change"),
    [(Constant, entry), (Not, not_negated)],
)
def test_a_wrong_comparison_is_found(kind: type, change: Callable[[Node], Node]) -> None:
    quantised = compared(0.031)
    wrong = changed(Integerise().run(quantised), kind, change)
    with pytest.raises(VerificationError, match="defined as"):
        check_integers(quantised, wrong, SAMPLES, lambda _: None)


def test_a_mask_that_is_not_low_enough_is_found() -> None:
    b = Builder("m")
    x, mask = b.input("x", TensorType((2, 3), DType.F32)), b.constant(np.array([0, -np.inf, 0], np.float32))
    module = b.build([b.add(Softmax(b.add(Add(x, mask))))])
    samples = [[np.ones((2, 3), np.float32)]]
    check_masks(module, module, samples)
    finite = Tensor(np.array([0, -5, 0], np.float32))
    weak = changed(module, Constant, lambda n: Node(n.result, Constant(finite), n.loc))
    with pytest.raises(VerificationError, match="of 6 elements differ"):
        check_masks(module, weak, samples)
