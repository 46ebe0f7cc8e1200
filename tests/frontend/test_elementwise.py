"""Arithmetic, comparison, logic and activation functions against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.frontend.support import check, example
from tinyc.ir import DType, TensorType, Value
from tinyc.ir.ops import Clamp, LeakyRelu, Mul, Pow, Sqrt

X = example((2, 3, 4))

# Approximated by onnxruntime to an absolute error of some 1e-7 where the result is of size 1 or more.
FUNCTIONS: list[tuple[str, dict[str, Any], int]] = [
    *((op, {}, 7) for op in ("Abs", "Ceil", "Exp", "Floor", "Neg", "Reciprocal", "Relu", "Sigmoid", "Tanh")),
    *((op, {}, 7) for op in ("Sin", "Cos", "Tan", "Atan")),
    *((op, {}, 9) for op in ("Erf", "Sign", "Sinh", "Cosh", "Asinh")),
    *((op, {}, 17) for op in ("HardSwish", "Softplus", "Softsign", "Round")),
    ("LeakyRelu", {"alpha": 0.3}, 7),
    ("ThresholdedRelu", {"alpha": 0.5}, 10),
    ("Elu", {}, 7),
    ("Elu", {"alpha": 0.7}, 17),
    ("Selu", {}, 7),
    ("Selu", {"alpha": 1.2, "gamma": 0.9}, 17),
    ("Celu", {"alpha": 1.5}, 13),
    ("HardSigmoid", {}, 7),
    ("HardSigmoid", {"alpha": 0.4, "beta": 0.3}, 17),
    ("Gelu", {}, 20),
    ("Gelu", {"approximate": "tanh"}, 20),
    ("Mish", {}, 18),
    ("Shrink", {"lambd": 0.8, "bias": 0.3}, 9),
    ("IsNaN", {}, 13),
    ("IsInf", {}, 20),
    ("IsInf", {"detect_negative": 0}, 20),
    ("IsInf", {"detect_negative": 0, "detect_positive": 0}, 20),
]


@pytest.mark.parametrize(("op", "attributes", "opset"), FUNCTIONS)
def test_function(tmp_path: Path, op: str, attributes: dict[str, Any], opset: int) -> None:
    check(tmp_path, [helper.make_node(op, ["x"], ["y"], **attributes)], {"x": X}, opset=opset)


@pytest.mark.parametrize("op", ["Sqrt", "Log", "Acosh"])
def test_function_of_positives(tmp_path: Path, op: str) -> None:
    check(tmp_path, [helper.make_node(op, ["x"], ["y"])], {"x": np.abs(X) + 1})


@pytest.mark.parametrize("op", ["Asin", "Acos", "Atanh"])
def test_function_of_fractions(tmp_path: Path, op: str) -> None:
    check(tmp_path, [helper.make_node(op, ["x"], ["y"])], {"x": X / 3})


def test_is_inf_and_nan_of_such(tmp_path: Path) -> None:
    x = np.array([1, np.inf, -np.inf, np.nan], np.float32)
    for node in (
        helper.make_node("IsInf", ["x"], ["y"], detect_positive=0),
        helper.make_node("IsNaN", ["x"], ["y"]),
    ):
        check(tmp_path, [node], {"x": x})


def test_softplus_does_not_overflow(tmp_path: Path) -> None:
    check(tmp_path, [helper.make_node("Softplus", ["x"], ["y"])], {"x": np.array([-200, -1, 0, 1, 200], np.float32)})


@pytest.mark.parametrize("opset", [7, 13, 17])
@pytest.mark.parametrize("shapes", [((2, 3, 4), (4,)), ((3, 1), (2, 1, 4)), ((), (2, 3)), ((2, 3), (2, 3))])
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
def test_arithmetic(tmp_path: Path, op: str, shapes: tuple[tuple[int, ...], tuple[int, ...]], opset: int) -> None:
    feeds = {"a": example(shapes[0]), "b": example(shapes[1], 1)}
    check(tmp_path, [helper.make_node(op, ["a", "b"], ["y"])], feeds, opset=opset)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Mod"])
def test_integer_arithmetic(tmp_path: Path, op: str, dtype: Any) -> None:
    b = example((3, 4), 1, dtype)
    check(tmp_path, [helper.make_node(op, ["a", "b"], ["y"])], {"a": 3 * example((3, 4), 0, dtype), "b": b + (b == 0)})


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_fmod(tmp_path: Path, dtype: Any) -> None:
    b = example((3, 4), 1, dtype)
    node = helper.make_node("Mod", ["a", "b"], ["y"], fmod=1)
    check(tmp_path, [node], {"a": 3 * example((3, 4), 0, dtype), "b": b + (b == 0)})


@pytest.mark.parametrize("op", ["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"])
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int64])
def test_comparison(tmp_path: Path, op: str, dtype: Any) -> None:
    check(
        tmp_path,
        [helper.make_node(op, ["a", "b"], ["y"])],
        {"a": example((5, 4), 0, dtype), "b": example((4,), 1, dtype)},
    )


def test_comparison_with_nan(tmp_path: Path) -> None:
    feeds = {"a": np.array([np.nan, 1, np.nan], np.float32), "b": np.array([1, np.nan, np.nan], np.float32)}
    for op in ("Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Equal"):
        check(tmp_path, [helper.make_node(op, ["a", "b"], ["y"])], feeds)


@pytest.mark.parametrize("op", ["And", "Or", "Xor"])
def test_logic(tmp_path: Path, op: str) -> None:
    feeds = {"a": example((5, 4), 0, np.bool_), "b": example((4,), 1, np.bool_)}
    check(tmp_path, [helper.make_node(op, ["a", "b"], ["y"])], feeds)


def test_not_and_where(tmp_path: Path) -> None:
    nodes = [helper.make_node("Not", ["c"], ["n"]), helper.make_node("Where", ["n", "a", "b"], ["y"])]
    check(tmp_path, nodes, {"c": example((3, 1), 0, np.bool_), "a": example((3, 4)), "b": example((4,), 1)})


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("op", ["Max", "Min", "Sum", "Mean"])
def test_variadic(tmp_path: Path, op: str, count: int) -> None:
    feeds = {f"x{k}": example((3, 4) if k else (4,), k) for k in range(count)}
    check(tmp_path, [helper.make_node(op, list(feeds), ["y"])], feeds, opset=8)


@pytest.mark.parametrize(("exponent", "op"), [(2.0, Mul), (0.5, Sqrt), (1.7, Pow), (3.0, Mul)])
def test_pow_with_constant_exponent(tmp_path: Path, exponent: float, op: type) -> None:
    node = helper.make_node("Pow", ["x", "e"], ["y"])
    imported = check(tmp_path, [node], {"x": np.abs(X)}, {"e": np.array([exponent], np.float32)})
    assert any(isinstance(n.op, op) for n in imported.module.nodes)


def test_pow_casts_the_exponent(tmp_path: Path) -> None:
    node = helper.make_node("Pow", ["x", "e"], ["y"])
    check(tmp_path, [node], {"x": np.abs(X), "e": example((4,), 1, np.int64)})


def test_square_of_integers(tmp_path: Path) -> None:
    node = helper.make_node("Pow", ["x", "e"], ["y"])
    check(tmp_path, [node], {"x": example((7,), 0, np.int32)}, {"e": np.array(2, np.int32)})


def test_clip_attributes(tmp_path: Path) -> None:
    for given in ({}, {"min": -1.0}, {"max": 0.5}, {"min": -1.0, "max": 0.5}):
        imported = check(tmp_path, [helper.make_node("Clip", ["x"], ["y"], **given)], {"x": X}, opset=7)
        assert len(imported.module.nodes) == bool(given)


@pytest.mark.parametrize("opset", [11, 12, 13])
@pytest.mark.parametrize(("low", "high"), [(-1.0, 0.5), (None, 0.5), (-1.0, None), (None, None), (1.0, -1.0)])
def test_clip_inputs(tmp_path: Path, low: float | None, high: float | None, opset: int) -> None:
    limits = {n: np.array(v, np.float32) for n, v in (("low", low), ("high", high)) if v is not None}
    node = helper.make_node("Clip", ["x", *(n if n in limits else "" for n in ("low", "high"))], ["y"])
    check(tmp_path, [node], {"x": X}, limits, opset=opset)


def test_clip_computed_limits(tmp_path: Path) -> None:
    node = helper.make_node("Clip", ["x", "low", "high"], ["y"])
    check(tmp_path, [node], {"x": X, "low": np.array(-1, np.float32), "high": np.array(0.5, np.float32)})


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64])
def test_clip_at_the_limits_of_the_type(tmp_path: Path, dtype: Any) -> None:
    limits = {"low": np.array(np.iinfo(dtype).min, dtype), "high": np.array(np.iinfo(dtype).max, dtype)}
    node = helper.make_node("Clip", ["x", "low", "high"], ["y"])
    imported = check(tmp_path, [node], {"x": example((9,), 0, dtype)}, limits)
    assert not imported.module.nodes


@pytest.mark.parametrize("shape", [(1,), (3, 1, 1), (1, 3, 1, 4)])
def test_prelu(tmp_path: Path, shape: tuple[int, ...]) -> None:
    node = helper.make_node("PRelu", ["x", "slope"], ["y"])
    check(tmp_path, [node], {"x": example((1, 3, 2, 4))}, {"slope": example(shape, 1)}, opset=9)


def test_prelu_of_one_slope_is_leaky(tmp_path: Path) -> None:
    node = helper.make_node("PRelu", ["x", "slope"], ["y"])
    imported = check(tmp_path, [node], {"x": X}, {"slope": np.full((3, 1), 0.1, np.float32)})
    assert [type(n.op) for n in imported.module.nodes] == [LeakyRelu]


@pytest.mark.parametrize(
    ("source", "to"),
    [
        (np.float32, TensorProto.INT32),
        (np.float32, TensorProto.INT64),
        (np.float32, TensorProto.BOOL),
        (np.int32, TensorProto.FLOAT),
        (np.int64, TensorProto.INT32),
        (np.bool_, TensorProto.FLOAT),
        (np.int32, TensorProto.BOOL),
    ],
)
def test_cast(tmp_path: Path, source: Any, to: int) -> None:
    check(tmp_path, [helper.make_node("Cast", ["x"], ["y"], to=to)], {"x": example((4, 3), 0, source)})


def test_cast_like(tmp_path: Path) -> None:
    node = helper.make_node("CastLike", ["x", "t"], ["y"])
    check(tmp_path, [node], {"x": X}, {"t": np.array(0, np.int32)}, opset=15)


def test_relu_is_a_clamp(tmp_path: Path) -> None:
    imported = check(tmp_path, [helper.make_node("Relu", ["x"], ["y"])], {"x": X})
    (node,) = imported.module.nodes
    assert isinstance(node.op, Clamp)
    assert (node.op.min, node.op.max) == (0.0, np.inf)


def test_a_power_of_one_half_is_no_square_root() -> None:
    x = np.array([-np.inf, -0.0, 4.0], np.float32)
    found = Pow(Value("x", TensorType((3,), DType.F32)), Value("y", TensorType((), DType.F32))).run(
        [x, np.asarray(0.5, np.float32)]
    )
    np.testing.assert_array_equal(found, np.array([np.inf, 0.0, 2.0], np.float32))
    assert not np.signbit(found).any()
