"""Quantised operators against onnxruntime, and how quantised weights stand in the module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.frontend.support import build, check, example, run_imported, run_onnxruntime, save
from tinyc.compiler.frontend import FrontendError, Imported, load_onnx
from tinyc.ir import DType
from tinyc.ir.ops import Constant, Conv2d, Dense, DepthwiseConv2d, MatMul
from tinyc.ir.ops.quantise import Dequantize, Quantize
from tinyc.ir.tensor import Array

Attributes = dict[str, Any]
MS = "com.microsoft"


def integers(shape: tuple[int, ...], seed: int = 0, dtype: Any = np.int8) -> Array:
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(dtype)


def real(value: float | list[float]) -> Array:
    return np.asarray(value, np.float32)


def point(value: int | list[int], dtype: Any = np.int8) -> Array:
    return np.asarray(value, dtype)


def microsoft(model: onnx.ModelProto) -> onnx.ModelProto:
    model.opset_import.append(helper.make_opsetid(MS, 1))
    return model


def weights_of(
    imported: Imported, kind: type[Conv2d] | type[DepthwiseConv2d] | type[Dense]
) -> tuple[Array, Dequantize]:
    """The integers and the dequantize that the one operator of a kind has as its weights."""
    (op,) = (n.op for n in imported.module.nodes if isinstance(n.op, kind))
    below = imported.module.producer[op.w].op
    assert isinstance(below, Dequantize)
    data = imported.module.producer[below.x].op
    assert isinstance(data, Constant)
    return data.data.array, below


# Quantise and dequantise


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("opset", [10, 13, 19, 21, 23])
def test_quantize_dequantize(tmp_path: Path, dtype: Any, opset: int) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    x = np.concatenate([example((30,)) * 40, real([0.25, 0.75, -0.25, 1.25, 1e30, -1e30])])
    constants = {"s": real(0.5), "z": point(3, dtype)}
    imported = check(tmp_path, nodes, {"x": x}, constants, ("q", "y"), opset, tolerance=0)
    ops = [n.op for n in imported.module.nodes]
    assert [type(o) for o in ops] == [Quantize, Dequantize]
    assert isinstance(ops[0], Quantize)
    assert (ops[0].scale, ops[0].zero, ops[0].to) == (0.5, 3, DType.of(dtype))


def test_without_zero_point(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s"], ["y"]),
    ]
    check(tmp_path, nodes, {"x": example((30,)) * 200}, {"s": real([0.5])}, ("q", "y"), tolerance=0)


def test_output_dtype(tmp_path: Path) -> None:
    node = helper.make_node("QuantizeLinear", ["x", "s"], ["y"], output_dtype=TensorProto.INT8)
    check(tmp_path, [node], {"x": example((30,)) * 200}, {"s": real(0.5)}, opset=21)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_activations_with_a_scale_a_channel(tmp_path: Path, axis: int) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], axis=axis),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], axis=axis),
    ]
    constants = {"s": real([0.01, 0.02, 0.5]), "z": point([0, 3, -7])}
    check(tmp_path, nodes, {"x": example((3, 3, 3))}, constants, ("q", "y"), tolerance=0)


def test_computed_scale(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    inputs = {"x": example((20,)), "s": real(0.013), "z": point(100, np.uint8)}
    check(tmp_path, nodes, inputs, {}, ("q", "y"), tolerance=0)


def test_constant_is_quantised_at_import_and_stays_integer(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["w", "s", "z"], ["q"], axis=0),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], axis=0),
        helper.make_node("Conv", ["x", "d"], ["y"]),
    ]
    constants = {"w": example((2, 3, 2, 2), 1), "s": real([0.02, 0.01]), "z": point([0, 0])}
    data, below = weights_of(check(tmp_path, nodes, {"x": example((1, 3, 5, 4))}, constants), Conv2d)
    assert data.dtype == np.int8
    assert (below.scale, below.axis) == (tuple(float(s) for s in constants["s"]), 0)


# Weights keep their integers, in the layout of the IR


CONVOLUTIONS: list[tuple[tuple[int, ...], tuple[int, ...], Attributes, int]] = [
    ((1, 3, 9, 8), (4, 3, 3, 2), {"strides": [2, 1], "pads": [1, 0, 2, 1]}, 0),
    ((1, 4, 9, 8), (6, 2, 3, 3), {"group": 2}, 0),
    ((1, 4, 9, 8), (8, 1, 3, 2), {"group": 4, "pads": [1, 1, 1, 1]}, 2),
    ((1, 3, 10), (4, 3, 3), {"pads": [1, 2]}, 0),
    ((1, 4, 10), (4, 1, 3), {"group": 4}, 2),
]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize(("shape", "weights", "attributes", "axis"), CONVOLUTIONS)
def test_convolution_weights(
    tmp_path: Path, shape: tuple[int, ...], weights: tuple[int, ...], attributes: Attributes, axis: int, dtype: Any
) -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["d"], axis=0),
        helper.make_node("DequantizeLinear", ["b", "t"], ["e"], axis=0),
        helper.make_node("Conv", ["x", "d", "e"], ["y"], **attributes),
    ]
    scales = np.linspace(0.01, 0.03, weights[0]).astype(np.float32)
    zeros = np.arange(weights[0]).astype(dtype)
    constants = {"w": integers(weights, 1, dtype), "s": scales, "z": zeros}
    constants |= {"b": integers(weights[:1], 2, np.int32) // 2**20, "t": scales / 8}
    imported = check(tmp_path, nodes, {"x": example(shape)}, constants)
    data, below = weights_of(imported, DepthwiseConv2d if axis else Conv2d)
    assert data.dtype == dtype
    assert below.axis == axis
    assert below.scale == tuple(float(s) for s in scales)
    assert below.zero == tuple(int(z) for z in zeros)
    float_transposes = [
        n for n in imported.module.nodes if n.op.mnemonic == "transpose" and n.op.type.shape == data.shape
    ]
    assert not float_transposes


@pytest.mark.parametrize(
    ("operator", "attributes", "shape", "axis"),
    [
        ("MatMul", {}, (6, 5), 1),
        ("Gemm", {}, (6, 5), 1),
        ("Gemm", {"transB": 1}, (5, 6), 0),
        ("Gemm", {"transB": 1, "alpha": 0.5}, (5, 6), 0),
    ],
)
@pytest.mark.parametrize("each", [True, False])
def test_dense_weights(
    tmp_path: Path, operator: str, attributes: Attributes, shape: tuple[int, ...], axis: int, each: bool
) -> None:
    scales = real([0.01, 0.02, 0.03, 0.04, 0.05]) if each else real(0.01)
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["d"], axis=axis),
        helper.make_node("DequantizeLinear", ["b", "t"], ["e"], axis=0),
        helper.make_node(operator, ["x", "d"] + ["e"] * (operator == "Gemm"), ["y"], **attributes),
    ]
    constants = {"w": integers(shape), "s": scales, "b": integers((5,), 2, np.int32) // 2**22, "t": scales / 8}
    # onnxruntime's optimiser makes products with 8-bit weights approximate: it quantises the activations as well.
    imported = check(tmp_path, nodes, {"x": example((3, 6))}, constants, optimise=False)
    data, below = weights_of(imported, Dense)
    assert data.shape == (5, 6)
    assert below.axis == 0
    assert len(below.scale) == scales.size


def test_transposed_convolution_weights(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["d"], axis=1),
        helper.make_node("ConvTranspose", ["x", "d"], ["y"], strides=[2, 2]),
    ]
    constants = {"w": integers((3, 4, 2, 2)), "s": real([0.01, 0.02, 0.03, 0.04])}
    data, below = weights_of(check(tmp_path, nodes, {"x": example((1, 3, 4, 4))}, constants), Conv2d)
    assert (data.dtype, below.axis) == (np.int8, 0)


# The operator form


def steps_apart(tmp_path: Path, model: onnx.ModelProto, inputs: dict[str, Array]) -> int:
    """The largest difference to onnxruntime, in steps, of an integer result; most elements have to agree."""
    imported = load_onnx(save(model, tmp_path))
    (ours,), (theirs,) = run_imported(imported, inputs), run_onnxruntime(model, inputs)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert len(np.unique(theirs)) > 3, "the case tells nothing: nearly all results are equal"
    apart = np.abs(ours.astype(int) - theirs.astype(int))
    assert (apart == 0).mean() > 0.9
    return int(apart.max())


@pytest.mark.parametrize(("dtype", "weight"), [(np.int8, np.int8), (np.uint8, np.uint8), (np.uint8, np.int8)])
@pytest.mark.parametrize(("shape", "weights", "attributes", "axis"), CONVOLUTIONS)
def test_qlinear_conv(
    tmp_path: Path,
    shape: tuple[int, ...],
    weights: tuple[int, ...],
    attributes: Attributes,
    axis: int,
    dtype: Any,
    weight: Any,
) -> None:
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"]
    node = helper.make_node("QLinearConv", names, ["y"], **attributes)
    scales = np.linspace(0.01, 0.03, weights[0]).astype(np.float32)
    constants = {"xs": real(0.02), "xz": point(5, dtype), "w": integers(weights, 1, weight), "ws": scales}
    constants |= {"wz": np.full(weights[0], 0 if weight is np.int8 else 120, weight)}
    constants |= {"ys": real(0.7), "yz": point(100, dtype), "b": integers(weights[:1], 3, np.int32) // 2**20}
    inputs = {"x": integers(shape, 4, dtype)}
    model = build([node], inputs, constants)
    assert steps_apart(tmp_path, model, inputs) <= 1
    data, below = weights_of(load_onnx(save(model, tmp_path)), DepthwiseConv2d if axis else Conv2d)
    assert (data.dtype, below.axis) == (weight, axis)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("each", [True, False])
def test_qlinear_matmul(tmp_path: Path, dtype: Any, each: bool) -> None:
    node = helper.make_node("QLinearMatMul", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"])
    scales = real([0.01, 0.02, 0.03, 0.04, 0.05]) if each else real(0.03)
    zeros = point([0] * 5 if each else 0, np.int8)
    constants = {"xs": real(0.02), "xz": point(5, dtype), "w": integers((6, 5), 1), "ws": scales, "wz": zeros}
    constants |= {"ys": real(0.5), "yz": point(100, dtype)}
    inputs = {"x": integers((30, 6), 4, dtype)}
    assert steps_apart(tmp_path, build([node], inputs, constants), inputs) <= 1


def microsoft_case(name: str, inputs: list[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(name, inputs, ["y"], domain=MS, **attributes)


UNARY: list[tuple[str, Attributes, tuple[int, ...], float, int]] = [
    ("QLinearAveragePool", {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}, (1, 4, 9, 8), 0.04, 3),
    ("QLinearAveragePool", {"kernel_shape": [2, 2], "channels_last": 1}, (1, 4, 9, 8), 0.041, 3),
    ("QLinearGlobalAveragePool", {}, (1, 30, 5, 4), 0.005, 0),
    ("QLinearGlobalAveragePool", {"channels_last": 1}, (1, 5, 4, 30), 0.005, 0),
    ("QLinearSigmoid", {}, (2, 100), 1 / 256, 0),
    ("QLinearLeakyRelu", {"alpha": 0.2}, (2, 100), 0.05, 60),
    ("QLinearSoftmax", {"axis": -1, "opset": 13}, (20, 10), 1 / 256, 0),
    ("QLinearSoftmax", {"axis": 1, "opset": 11}, (10, 2, 4), 1 / 256, 0),
]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize(("name", "attributes", "shape", "scale", "zero"), UNARY)
def test_microsoft_unary(
    tmp_path: Path, name: str, attributes: Attributes, shape: tuple[int, ...], scale: float, zero: int, dtype: Any
) -> None:
    node = microsoft_case(name, ["x", "xs", "xz", "ys", "yz"], **attributes)
    shift = -128 if dtype is np.int8 else 0
    constants = {"xs": real(0.04), "xz": point(120 + shift, dtype), "ys": real(scale), "yz": point(zero + shift, dtype)}
    inputs = {"x": integers(shape, 4, dtype)}
    assert steps_apart(tmp_path, microsoft(build([node], inputs, constants)), inputs) <= 1


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("name", ["QLinearAdd", "QLinearMul"])
def test_microsoft_binary(tmp_path: Path, name: str, dtype: Any) -> None:
    node = microsoft_case(name, ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"])
    constants = {"xs": real(0.02), "xz": point(5, dtype), "ws": real(0.03), "wz": point(9, dtype)}
    constants |= {"ys": real(0.09), "yz": point(90, dtype)}
    inputs = {"x": integers((4, 50), 4, dtype), "w": integers((50,), 5, dtype)}
    assert steps_apart(tmp_path, microsoft(build([node], inputs, constants)), inputs) <= 1


def test_qlinear_concat(tmp_path: Path) -> None:
    node = microsoft_case("QLinearConcat", ["ys", "yz", "x", "xs", "xz", "w", "ws", "wz"], axis=1)
    constants = {"xs": real(0.02), "xz": point(5), "ws": real(0.03), "wz": point(9), "ys": real(0.04), "yz": point(1)}
    inputs = {"x": integers((4, 50), 4), "w": integers((4, 30), 5)}
    assert steps_apart(tmp_path, microsoft(build([node], inputs, constants)), inputs) <= 1


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_qgemm(tmp_path: Path, transposed: int, alpha: float) -> None:
    names = ["x", "xs", "xz", "w", "ws", "wz", "c", "ys", "yz"]
    node = microsoft_case("QGemm", names, transB=transposed, alpha=alpha)
    scales = real([0.01, 0.02, 0.03, 0.04, 0.05])
    constants = {"xs": real(0.02), "xz": point(5), "w": integers((5, 6) if transposed else (6, 5), 1), "ws": scales}
    constants |= {"wz": point([0] * 5), "c": integers((5,), 3, np.int32) // 2**20, "ys": real(0.5), "yz": point(10)}
    inputs = {"x": integers((30, 6), 4)}
    assert steps_apart(tmp_path, microsoft(build([node], inputs, constants)), inputs) <= 1


def test_qgemm_to_floats(tmp_path: Path) -> None:
    node = microsoft_case("QGemm", ["x", "xs", "xz", "w", "ws", "wz", "c"])
    constants = {"xs": real(0.02), "xz": point(5), "w": integers((6, 5), 1), "ws": real(0.01), "wz": point(0)}
    constants |= {"c": integers((5,), 3, np.int32) // 2**20}
    inputs = {"x": integers((30, 6), 4)}
    model = microsoft(build([node], inputs, constants))
    (ours,), (theirs,) = run_imported(load_onnx(save(model, tmp_path)), inputs), run_onnxruntime(model, inputs)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6 * np.abs(theirs).max())  # 16 roundings of float32


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_microsoft_quantize_dequantize(tmp_path: Path, dtype: Any) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], domain=MS),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], domain=MS),
    ]
    inputs = {"x": example((30,)) * 40}
    model = microsoft(build(nodes, inputs, {"s": real(0.5), "z": point(3, dtype)}, ("q", "y")))
    ours, theirs = run_imported(load_onnx(save(model, tmp_path)), inputs), run_onnxruntime(model, inputs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


# Integer sums


@pytest.mark.parametrize("attributes", [{}, {"pads": [1, 1, 1, 1], "strides": [2, 1]}])
def test_conv_integer_is_exact(tmp_path: Path, attributes: Attributes) -> None:
    node = helper.make_node("ConvInteger", ["x", "w", "xz", "wz"], ["y"], **attributes)
    constants = {"w": integers((3, 4, 3, 3), 1, np.uint8), "xz": point(7, np.uint8), "wz": point(128, np.uint8)}
    check(tmp_path, [node], {"x": integers((1, 4, 9, 8), 2, np.uint8)}, constants)


def test_conv_integer_with_a_zero_point_a_channel(tmp_path: Path) -> None:
    # onnxruntime's kernel takes one zero point for all, so it runs channel by channel.
    node = helper.make_node("ConvInteger", ["x", "w", "xz", "wz"], ["y"])
    inputs = {"x": integers((1, 4, 9, 8), 2, np.uint8)}
    w, zeros = integers((3, 4, 3, 3), 1, np.uint8), [1, 128, 255]

    def model(w: Array, zero: int | list[int]) -> onnx.ModelProto:
        return build([node], inputs, {"w": w, "xz": point(7, np.uint8), "wz": point(zero, np.uint8)})

    (ours,) = run_imported(load_onnx(save(model(w, zeros), tmp_path)), inputs)
    theirs = [run_onnxruntime(model(w[k : k + 1], zero), inputs)[0] for k, zero in enumerate(zeros)]
    np.testing.assert_array_equal(ours, np.concatenate(theirs, axis=1))


@pytest.mark.parametrize(("a", "b"), [(np.uint8, np.int8), (np.uint8, np.uint8), (np.int8, np.int8)])
@pytest.mark.parametrize("inner", [6, 4000])
@pytest.mark.parametrize("zeros", ["none", "one", "columns"])
def test_matmul_integer_is_exact(tmp_path: Path, a: Any, b: Any, inner: int, zeros: str) -> None:
    names = {"none": ["x", "w"], "one": ["x", "w", "xz", "wz"], "columns": ["x", "w", "xz", "wz"]}[zeros]
    node = helper.make_node("MatMulInteger", names, ["y"])
    constants = {"w": integers((inner, 5), 1, b)}
    if zeros != "none":
        constants |= {"xz": point(7, a), "wz": point([3, 4, 5, 6, 7] if zeros == "columns" else 9, b)}
    imported = check(tmp_path, [node], {"x": integers((4, inner), 2, a)}, constants)
    # 4000 products of magnitudes around 64 * 128 do not add up exactly in float32.
    assert any(isinstance(n.op, MatMul if inner == 4000 else Dense) for n in imported.module.nodes)


def test_matmul_integer_of_computed_operands(tmp_path: Path) -> None:
    node = helper.make_node("MatMulInteger", ["x", "w", "xz", "wz"], ["y"])
    inputs = {"x": integers((4, 6), 2, np.uint8), "w": integers((6, 5), 1, np.uint8)}
    check(tmp_path, [node], inputs | {"xz": point(7, np.uint8), "wz": point(200, np.uint8)})


def test_conv_integer_refuses_sums_that_float32_cannot_hold(tmp_path: Path) -> None:
    node = helper.make_node("ConvInteger", ["x", "w"], ["y"])
    model = build([node], {"x": integers((1, 100, 9, 8), 2, np.uint8)}, {"w": np.full((3, 100, 3, 3), 255, np.uint8)})
    with pytest.raises(FrontendError, match=r"may reach 58522500.*2\^24"):
        load_onnx(save(model, tmp_path))


@pytest.mark.parametrize("x", [example((3, 7)), example((3, 7)) + 9, example((3, 7)) - 9, np.zeros((3, 7), np.float32)])
def test_dynamic_quantize(tmp_path: Path, x: Array) -> None:
    node = helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"])
    check(tmp_path, [node], {"x": x.astype(np.float32)}, {}, ("q", "s", "z"))


# What is refused


@pytest.mark.parametrize(
    ("attributes", "constants", "message"),
    [
        ({"block_size": 2}, {"s": example((4, 2)), "z": integers((4, 2))}, "block_size = 2 is not supported"),
        ({}, {"s": example((4, 2)), "z": integers((4, 2))}, "scales for blocks"),
        ({}, {"s": real([0.1, 0.2]), "z": point([0, 0])}, "2 scales do not fit"),
        ({}, {"s": real(0.1), "z": point([0, 0])}, "one scale and 2 zero points"),
        ({}, {"s": real(0.0), "z": point(0)}, "a scale is 0"),
        ({}, {"s": real(np.nan), "z": point(0)}, "a scale is nan"),
        ({"axis": 5}, {"s": real([0.1] * 4), "z": point([0] * 4)}, "axis 5 does not exist"),
    ],
)
def test_refused_quantize(tmp_path: Path, attributes: Attributes, constants: dict[str, Array], message: str) -> None:
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], name="quant", **attributes)
    with pytest.raises(FrontendError, match=f"node quant .*{message}"):
        load_onnx(save(build([node], {"x": example((4, 4))}, constants, opset=21), tmp_path))


@pytest.mark.parametrize("code", [TensorProto.INT4, TensorProto.FLOAT8E4M3FN])
def test_refused_output_types(tmp_path: Path, code: int) -> None:
    node = helper.make_node("QuantizeLinear", ["x", "s"], ["y"], name="quant", output_dtype=code)
    with pytest.raises(FrontendError, match=r"node quant .*supported: int8, uint8, int16 and uint16"):
        load_onnx(save(build([node], {"x": example((4, 4))}, {"s": real(0.1)}, opset=21), tmp_path))


SMALL = {
    TensorProto.INT4: (-8, 8),
    TensorProto.UINT4: (0, 16),
    TensorProto.INT16: (-(2**15), 2**15),
    TensorProto.UINT16: (0, 2**16),
}


def small_weights(code: int, zero: int, block: int = 0) -> tuple[onnx.ModelProto, Array]:
    """x by weights [12, 10] with a scale for each column, or for each `block` of a column; and the weights meant."""
    rng = np.random.default_rng(code + zero + block)
    w = rng.integers(*SMALL[code], (12, 10))
    scale = rng.uniform(0.01, 0.1, (-(-12 // block), 10) if block else 10).astype(np.float32)
    attributes = {"axis": 0, "block_size": block} if block else {"axis": 1}
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["d"], name="deq", **attributes),
        helper.make_node("MatMul", ["x", "d"], ["y"]),
    ]
    model = build(nodes, {"x": example((2, 12))}, {"s": scale}, opset=21)
    for name, array in (("w", w), ("z", np.full(scale.shape, zero))):
        model.graph.initializer.append(helper.make_tensor(name, code, array.shape, array.reshape(-1)))
    return model, (w - zero) * (np.repeat(scale, block, axis=0)[:12] if block else scale)


@pytest.mark.parametrize("block", [0, 3, 5, 12])
@pytest.mark.parametrize(
    ("code", "zero"),
    [(TensorProto.INT4, 0), (TensorProto.INT4, -3), (TensorProto.UINT4, 8), (TensorProto.UINT4, 15)],
)
def test_weights_of_4_bits(code: int, zero: int, block: int, tmp_path: Path) -> None:
    model, meant = small_weights(code, zero, block)
    imported = load_onnx(save(model, tmp_path))
    x = example((2, 12))
    (y,) = run_imported(imported, {"x": x})
    np.testing.assert_allclose(y, x.astype(np.float64) @ meant, rtol=1e-5, atol=1e-5)
    (own,) = run_onnxruntime(model, {"x": x})
    np.testing.assert_allclose(y, own, rtol=1e-5, atol=1e-5)
    # Those without blocks stay integers, symmetric ones.
    kept = [n.op for n in imported.module.made_by(Dequantize)]
    assert len(kept) == (block == 0)
    assert not any(any(op.zero) or op.x.dtype is not DType.I8 for op in kept)


def test_weights_of_16_bits(tmp_path: Path) -> None:
    model, meant = small_weights(TensorProto.INT16, 0)
    (y,) = run_imported(load_onnx(save(model, tmp_path)), {"x": example((2, 12))})
    np.testing.assert_allclose(y, example((2, 12)).astype(np.float64) @ meant, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("block", [0, 3, 5])
def test_weights_of_uint16_without_zero_points(block: int, tmp_path: Path) -> None:
    """Zero points that are left out are as many as there are scales."""
    model, meant = small_weights(TensorProto.UINT16, 0, block)
    del model.graph.node[0].input[2:], model.graph.initializer[-1:]
    (y,) = run_imported(load_onnx(save(model, tmp_path)), {"x": example((2, 12))})
    np.testing.assert_allclose(y, example((2, 12)).astype(np.float64) @ meant, rtol=1e-5, atol=1e-2)


def test_blocks_without_a_scale_each(tmp_path: Path) -> None:
    model, _ = small_weights(TensorProto.INT4, 0, block=3)
    model.graph.node[0].attribute[1].i = 4
    with pytest.raises(FrontendError, match=r"node deq .*are not \[3, 10\], one for each 4 elements"):
        load_onnx(save(model, tmp_path))


def test_refused_uint16_output(tmp_path: Path) -> None:
    node = helper.make_node("QuantizeLinear", ["x", "s"], ["y"], name="quant", output_dtype=TensorProto.UINT16)
    with pytest.raises(FrontendError, match='output "y" is uint16'):
        load_onnx(save(build([node], {"x": example((4, 4))}, {"s": real(0.1)}, opset=21), tmp_path))


def test_refused_int64_activation(tmp_path: Path) -> None:
    node = helper.make_node("DequantizeLinear", ["x", "s"], ["y"], name="deq")
    with pytest.raises(FrontendError, match=r"node deq .*i64\[4\] cannot be dequantised"):
        load_onnx(save(build([node], {"x": point([1, 2, 3, 4], np.int64)}, {"s": real(0.1)}, opset=21), tmp_path))


def test_unknown_microsoft_operator(tmp_path: Path) -> None:
    model = microsoft(build([microsoft_case("QAttention", ["x"])], {"x": example((4, 4))}))
    with pytest.raises(FrontendError, match=r"com\.microsoft:QAttention"):
        load_onnx(save(model, tmp_path))
