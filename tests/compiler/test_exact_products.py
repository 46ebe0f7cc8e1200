"""Products of uint8 and int8 in onnxruntime are those of the integers, where by default it may let them saturate."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.frontend.support import build
from tests.sessions import open_onnxruntime
from tinyc.compiler.reference.exact_products import exact_products
from tinyc.ir.tensor import Array

# The largest numbers: pairs of their products exceed int16 by a factor of two.
X = np.full((3, 64), 255, np.uint8)
W = np.where(np.arange(64 * 8).reshape(64, 8) % 8 < 4, 127, -128).astype(np.int8)
SUMS = (X.astype(np.int64) @ W.astype(np.int64)).astype(np.int32)
STEP = np.float32(255 * 64)
"""A scale of the result with which it does not saturate."""


def scaled(sums: Array) -> Array:
    return np.clip(np.rint(sums / np.float64(STEP)) + 128, 0, 255).astype(np.uint8)


def linear(factors: list[str], zero: str) -> list[str]:
    x, w = factors
    return [x, "one", "zero", w, "one", zero, "step", "middle"]


def numbers(**more: Array) -> dict[str, Array]:
    found: dict[str, Array] = {"one": np.asarray(1, np.float32), "step": np.asarray(STEP)}
    found |= {"zero": np.asarray(0, np.uint8), "zero8": np.asarray(0, np.int8), "middle": np.asarray(128, np.uint8)}
    return found | more


def run(model: onnx.ModelProto, feeds: dict[str, Array], optimise: bool) -> Array:
    return np.asarray(open_onnxruntime(model, optimise).run(["y"], feeds)[0])


@pytest.mark.parametrize("optimise", [False, True])
@pytest.mark.parametrize("zero", ["none", "one", "columns"])
def test_matmul_integer(zero: str, optimise: bool) -> None:
    zeros = {"none": 0, "one": np.asarray(-3, np.int8), "columns": np.arange(-4, 4).astype(np.int8)}[zero]
    operands = ["x", "w", "zero", "zeros"] if zero != "none" else ["x", "w"]
    model = build([helper.make_node("MatMulInteger", operands, ["y"])], {"x": X}, numbers(w=W, zeros=np.asarray(zeros)))
    expected = X.astype(np.int64) @ (W.astype(np.int64) - zeros)
    np.testing.assert_array_equal(run(model, {"x": X}, optimise), expected)


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("optimise", [False, True])
def test_qlinear_matmul(constant: bool, optimise: bool) -> None:
    """With weights that are constant, and with a second operand that is computed."""
    node = helper.make_node("QLinearMatMul", linear(["x", "w"], "zero8"), ["y"])
    feeds: dict[str, Array] = {"x": X} if constant else {"x": X, "w": W}
    model = build([node], feeds, numbers(w=W) if constant else numbers())
    np.testing.assert_array_equal(run(model, feeds, optimise), scaled(SUMS))


@pytest.mark.parametrize("optimise", [False, True])
@pytest.mark.parametrize("operator", ["ConvInteger", "QLinearConv"])
def test_convolutions(operator: str, optimise: bool) -> None:
    x, w = np.ascontiguousarray(X.T).reshape(1, 64, 3, 1), np.ascontiguousarray(W.T).reshape(8, 64, 1, 1)
    operands = ["x", "w"] if operator == "ConvInteger" else linear(["x", "w"], "zero8")
    model = build([helper.make_node(operator, operands, ["y"])], {"x": x}, numbers(w=w))
    expected = SUMS if operator == "ConvInteger" else scaled(SUMS)
    np.testing.assert_array_equal(run(model, {"x": x}, optimise), expected.T.reshape(1, 8, 3, 1))


def test_products_inside_a_branch() -> None:
    inner = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w"], ["z"])],
        "then",
        [],
        [helper.make_tensor_value_info("z", TensorProto.INT32, SUMS.shape)],
        [numpy_helper.from_array(W, "w")],
    )
    node = helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=inner)
    yes: dict[str, Any] = {"yes": np.asarray(True)}
    model = build([node], {"x": X, **yes})
    np.testing.assert_array_equal(run(model, {"x": X, **yes}, False), SUMS)


def test_everything_else_is_left_alone() -> None:
    floats = build([helper.make_node("Relu", ["x"], ["y"])], {"x": np.zeros(3, np.float32)})
    assert exact_products(floats) is floats
    signed = build([helper.make_node("MatMulInteger", ["x", "w"], ["y"])], {"x": X}, {"w": W.astype(np.uint8)})
    assert [n.op_type for n in exact_products(signed).graph.node] == ["MatMulInteger"]
    mixed = build([helper.make_node("MatMulInteger", ["x", "w"], ["y"])], {"x": X}, {"w": W})
    before = mixed.SerializeToString()
    changed = exact_products(mixed)
    assert [o.name for o in changed.graph.output] == ["y"]
    assert mixed.SerializeToString() == before
