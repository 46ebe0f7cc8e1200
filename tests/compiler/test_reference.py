"""Who a model is verified against, and whose fault a difference is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tinyc.compiler.frontend import FrontendError
from tinyc.compiler.frontend import conv as conv_import
from tinyc.compiler.reference import reference
from tinyc.compiler.reference.equivalent import with_explicit_pads
from tinyc.compiler.session import api
from tinyc.compiler.verify import VerificationError, check_import
from tinyc.ir.tensor import Array

RNG = np.random.default_rng(3)


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, tuple[int, Sequence[int]]],
    outputs: dict[str, tuple[int, Sequence[int]]],
    constants: dict[str, Array] | None = None,
) -> Path:
    """A model file."""
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info(n, *t) for n, t in inputs.items()],
        [helper.make_tensor_value_info(n, *t) for n, t in outputs.items()],
        [numpy_helper.from_array(a, n) for n, a in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


def float_conv(path: Path, size: float = 1.0, **attributes: object) -> Path:
    w = (RNG.normal(size=(4, 2, 3, 3)) * size).astype(np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="the_conv", **attributes)
    relu = helper.make_node("Relu", ["y"], ["z"], name="the_relu")
    return save(
        path,
        [node, relu],
        {"x": (TensorProto.FLOAT, [1, 2, 9, 11])},
        {"z": (TensorProto.FLOAT, ["n", "c", "h", "w"])},  # type: ignore[list-item]
        {"w": w},
    )


def test_products_of_uint8_and_int8_are_exact(tmp_path: Path) -> None:
    """Pairs of products beyond int16, which a processor without VNNI limits unless it is asked not to."""
    scale, zero = np.float32(1.0), np.uint8(0)
    constants = {
        "s": scale,
        "z": zero,
        "w": np.full((8, 64), 127, np.int8),
        "ws": np.float32(1.0),
        "wz": np.int8(0),
        "os": np.float32(64 * 255 * 127 / 250),
        "oz": np.uint8(0),
    }
    node = helper.make_node("QLinearMatMul", ["x", "s", "z", "wt", "ws", "wz", "os", "oz"], ["y"], name="products")
    constants["wt"] = np.ascontiguousarray(constants.pop("w").T)  # type: ignore[attr-defined]
    path = save(
        tmp_path / "m.onnx",
        [node],
        {"x": (TensorProto.UINT8, [3, 64])},
        {"y": (TensorProto.UINT8, [3, 8])},
        {k: np.asarray(v) for k, v in constants.items()},
    )
    run = reference.session(onnx.load(path))
    assert (run(["y"], {"x": np.full((3, 64), 255, np.uint8)})[0] == 250).all()


def test_a_model_that_computes_no_float_is_compared(tmp_path: Path) -> None:
    node = helper.make_node("MaxPool", ["x"], ["y"], name="pool", kernel_shape=[2, 2])
    path = save(
        tmp_path / "m.onnx", [node], {"x": (TensorProto.INT8, [1, 2, 4, 4])}, {"y": (TensorProto.INT8, [1, 2, 3, 3])}
    )
    compiled = api.compile(path)
    assert [v.max_abs_error for v in compiled.verdicts] == [0.0, 0.0]


def test_an_output_without_dimensions_is_compared(tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0), helper.make_node("Neg", ["m"], ["y"])]
    path = save(tmp_path / "m.onnx", nodes, {"x": (TensorProto.FLOAT, [2, 3])}, {"y": (TensorProto.FLOAT, [])})
    assert all(v.passed for v in api.compile(path).verdicts)


def test_an_output_without_elements_is_no_fault(tmp_path: Path) -> None:
    nodes = [helper.make_node("Slice", ["x", "s", "s", "a"], ["y"]), helper.make_node("Neg", ["x"], ["z"])]
    bounds = {"s": np.array([1]), "a": np.array([1])}
    outputs = {"y": (TensorProto.FLOAT, [1, 0, 4]), "z": (TensorProto.FLOAT, [1, 3, 4])}
    path = save(tmp_path / "m.onnx", nodes, {"x": (TensorProto.FLOAT, [1, 3, 4])}, outputs, bounds)
    assert all(v.passed for v in api.compile(path).verdicts)


def test_a_batch_norm_without_variance(tmp_path: Path) -> None:
    constants = {n: np.array(v, np.float32) for n, v in {"s": [1, 2], "b": [0, 1], "m": [0, 1], "v": [0, 1]}.items()}
    node = helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=0.0)
    shape = {"x": (TensorProto.FLOAT, [1, 2, 3, 3])}
    path = save(tmp_path / "m.onnx", [node], shape, {"y": (TensorProto.FLOAT, [1, 2, 3, 3])}, constants)
    assert all(v.passed for v in api.compile(path).verdicts)


def test_same_padding_with_dilation_is_verified_in_an_equivalent_form(tmp_path: Path) -> None:
    path = float_conv(tmp_path / "m.onnx", auto_pad="SAME_LOWER", dilations=[2, 2], kernel_shape=[3, 3])
    compiled = api.compile(path)
    assert any("verified against onnxruntime, on the model with its SAME padding" in n for n in compiled.notes)
    explicit = with_explicit_pads(onnx.load(path), {"x": (1, 2, 9, 11)})
    assert explicit is not None
    (pads,) = [a.ints for a in explicit.graph.node[0].attribute if a.name == "pads"]
    assert list(pads) == [2, 2, 2, 2]


def test_same_padding_that_onnxruntime_takes_is_left_to_it(tmp_path: Path) -> None:
    path = float_conv(tmp_path / "m.onnx", auto_pad="SAME_UPPER", strides=[4, 4], kernel_shape=[3, 3])
    assert with_explicit_pads(onnx.load(path), {"x": (1, 2, 9, 11)}) is None
    assert api.compile(path).notes == ()


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_dilated_same_padding_of_all_sizes(tmp_path: Path, auto: str, kernel: int, stride: int) -> None:
    w = RNG.normal(size=(4, 2, kernel, kernel)).astype(np.float32)
    node = helper.make_node("Conv", ["x", "w"], ["y"], auto_pad=auto, strides=[stride, stride], dilations=[2, 3])
    outputs = {"y": (TensorProto.FLOAT, ["n", "c", "h", "w"])}
    path = save(tmp_path / "m.onnx", [node], {"x": (TensorProto.FLOAT, [1, 2, 9, 12])}, outputs, {"w": w})  # type: ignore[arg-type]
    assert all("SAME padding as numbers" in note for note in api.compile(path).notes)


def test_a_model_that_onnxruntime_has_no_kernel_for_is_verified_by_onnx_itself(tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["x"], ["y"], name="limit")
    path = save(
        tmp_path / "m.onnx", [node], {"x": (TensorProto.INT16, [1, 2, 4, 4])}, {"y": (TensorProto.INT16, [1, 2, 4, 4])}
    )
    compiled = api.compile(path)
    assert any("verified against ONNX's reference evaluator" in note for note in compiled.notes)
    assert compiled.report["reference"] == "ONNX's reference evaluator"


def test_without_any_reference_the_reasons_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = float_conv(tmp_path / "m.onnx")
    imported = api.load(path)

    def refuse(_: object) -> object:
        raise RuntimeError("not today\nnor tomorrow")

    monkeypatch.setattr(reference, "session", refuse)
    monkeypatch.setattr(reference, "_evaluator", refuse)
    with pytest.raises(FrontendError, match=r"no reference to verify .* onnxruntime: not today; ONNX's reference"):
        reference.Reference(imported, [np.zeros((1, 2, 9, 11), np.float32)])


def spoil(monkeypatch: pytest.MonkeyPatch, tensor: str) -> None:
    """Makes onnxruntime wrong about one tensor."""
    right = reference.session

    def session(model: onnx.ModelProto) -> object:
        run = right(model)

        def wrong(names: Sequence[str], feeds: dict[str, Array]) -> list[Array]:
            return [a + np.float32(0.5) if n == tensor else a for n, a in zip(names, run(names, feeds), strict=True)]

        return wrong

    monkeypatch.setattr(reference, "session", session)


def test_a_fault_of_the_reference_is_not_held_against_the_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = float_conv(tmp_path / "m.onnx", pads=[1, 0, 1, 2])
    spoil(monkeypatch, "y")
    compiled = api.compile(path)
    assert any("the_conv: in onnxruntime element" in note for note in compiled.notes)
    assert all(v.passed for v in compiled.verdicts)


@pytest.mark.parametrize("size", [1.0, 1e-9])
def test_a_fault_of_the_import_is_found_and_the_layer_named(
    size: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small the numbers are: ONNX's evaluator does not agree with it either."""
    path = float_conv(tmp_path / "m.onnx", size, pads=[1, 0, 1, 2])
    real = conv_import.Conv2d

    def swapped(*args: object, **kwargs: object) -> object:
        op = real(*args, **kwargs)  # type: ignore[arg-type]
        top, left, bottom, right = op.pads
        return real(op.x, op.w, op.b, op.strides, (bottom, right, top, left), op.dilations)

    monkeypatch.setattr(conv_import, "Conv2d", swapped)
    with pytest.raises(VerificationError, match="the import differs from onnxruntime: layer 'the_conv'"):
        check_import(api.load(path), [[RNG.normal(size=(1, 2, 9, 11)).astype(np.float32)]])
