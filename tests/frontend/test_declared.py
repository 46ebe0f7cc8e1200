"""Operators that ONNX has as well: their classes say so, and that is all the import needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.frontend.node_cases import attempt, cases
from tests.frontend.support import build, example, run_imported, save
from tests.frontend.test_errors import refuse_model
from tests.helpers import new_operators
from tinyc.compiler.frontend import inspect_onnx, load_onnx
from tinyc.compiler.frontend.registry import HANDLERS, handler_for
from tinyc.ir.expr import call
from tinyc.ir.ops import Constant, Sin, registry
from tinyc.ir.ops.elementwise import Binary, Function, Unary

X = {"x": example((1, 3, 2, 4))}
DECLARED = {kind.onnx: kind for kind in registry().values() if kind.onnx}


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    with new_operators():
        yield


def node(operator: str, *inputs: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(operator, list(inputs), ["y"], name="layer", **attributes)


@pytest.mark.parametrize("operator", DECLARED)
def test_a_declared_operator_is_supported(operator: str) -> None:
    assert handler_for(operator) is not None
    assert onnx.defs.has(operator)


def test_a_handler_that_is_written_comes_first(tmp_path: Path) -> None:
    """Of Max there may be any number of operands, a product with a constant is a dense layer."""
    assert {"Identity", "MatMul", "Max", "Min", "Pow"} == set(DECLARED) & set(HANDLERS)
    model = build([node("Max", "x", "x", "x")], X)
    assert [n.op.mnemonic for n in load_onnx(save(model, tmp_path)).module.nodes] == ["maximum", "maximum"]


@pytest.mark.parametrize(
    "name", ["sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh"]
)
def test_functions_as_onnx_has_them(tmp_path: Path, name: str) -> None:
    for case in (f"test_{name}", f"test_{name}_example"):
        assert attempt(cases()[case], tmp_path) == ""


def test_a_function_of_a_constant_is_a_constant(tmp_path: Path) -> None:
    model = build([node("Sin", "c")], X, {"c": example((3,))})
    (only,) = load_onnx(save(model, tmp_path)).module.nodes
    assert isinstance(only.op, Constant)
    np.testing.assert_array_equal(only.op.data.array, np.sin(example((3,))))


def test_an_operator_that_is_added_later(tmp_path: Path) -> None:
    """By another package, say: the frontend has been imported, and this very model has been refused."""
    model = build([node("Det", "x")], X)
    refuse_model(
        tmp_path,
        model,
        "model.onnx uses operators that tinyc does not support: Det (node layer); "
        'export the model without such operators, or add them to tinyc (CONTRIBUTING.md, "An ONNX operator")',
    )

    class Cube(Function, mnemonic="cube", onnx="Det", numpy=lambda x: x * x * x):
        """x to the third."""

    imported = load_onnx(save(model, tmp_path))
    assert [type(n.op) for n in imported.module.nodes] == [Cube]
    assert not inspect_onnx(tmp_path / "model.onnx").unsupported
    np.testing.assert_array_equal(run_imported(imported, X)[0], X["x"] * X["x"] * X["x"])


def test_operands_in_order(tmp_path: Path) -> None:
    class Difference(Binary, mnemonic="difference", onnx="Det"):
        """x - y."""

        def scalar(self, *args):  # type: ignore[no-untyped-def]
            return args[0] - args[1]

    feeds = {"x": example((2, 3)), "z": example((3,), 1)}
    imported = load_onnx(save(build([node("Det", "x", "z")], feeds), tmp_path))
    np.testing.assert_array_equal(run_imported(imported, feeds)[0], feeds["x"] - feeds["z"])
    refuse_model(tmp_path, build([node("Det", "x", "z", "x")], feeds), "node layer (Det): has 3 inputs, not 2")
    refuse_model(tmp_path, build([node("Det", "x")], X), "node layer (Det): input 1 is missing")


def test_attributes_are_not_ignored(tmp_path: Path) -> None:
    refuse_model(
        tmp_path,
        build([node("Sin", "x", degrees=1)], X),
        "node layer (Sin): Sin declares to be ONNX's Sin without attributes, and there is degrees: write a handler",
    )


def test_a_type_that_a_function_does_not_take(tmp_path: Path) -> None:
    model = build([node("Sin", "x")], {"x": example((3,), dtype=np.int32)})
    refuse_model(tmp_path, model, "node layer (Sin): sin: sin takes floating point, not i32")


def test_an_operator_that_has_a_handler_already(tmp_path: Path) -> None:
    """Whose handler it is would go on importing it, and nobody would ask the class."""

    class Rectified(Unary, mnemonic="rectified", onnx="Relu"):
        """x, or 0."""

        def scalar(self, *args):  # type: ignore[no-untyped-def]
            return call("max", args[0], 0.0)

    said = f"{__name__}.Rectified declares to be ONNX's Relu, which tinyc.compiler.frontend."
    refuse_model(tmp_path, build([node("Relu", "x")], X), said, "imports otherwise: leave out `onnx` in the class")
    assert load_onnx(save(build([node("Sin", "x")], X), tmp_path))
    assert handler_for("Max") is not None, "the class says how it is exported"


def test_two_classes_for_one_operator() -> None:
    with pytest.raises(TypeError, match="Sin and Sinus are both ONNX's Sin"):

        class Sinus(Function, mnemonic="sinus", onnx="Sin", numpy=np.sin):
            """Sine."""

    assert handler_for("Sin") is not None
    assert registry()["sin"] is Sin
