"""float16 and bfloat16 become float32: weights bit for bit, interfaces, attributes; and the models of this kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.frontend.support import assert_close, build, example, run_imported, run_onnxruntime, save
from tests.helpers import DATA, model
from tinyc.compiler.frontend import FrontendError, inspect_onnx, load_onnx
from tinyc.ir import DType
from tinyc.ir.ops import Constant
from tinyc.ir.tensor import Array

node = helper.make_node
F16, BF16 = TensorProto.FLOAT16, TensorProto.BFLOAT16
STEP = 2.0**-11
"""Half a step of float16, relative: what one rounding of a result costs."""


def tensor(name: str, code: int, bits: Array, raw: bool) -> TensorProto:
    """A tensor of 16-bit numbers given by their bits, stored in either way."""
    result = TensorProto(name=name, data_type=code, dims=bits.shape)
    if raw:
        result.raw_data = bits.astype("<u2").tobytes()
    else:
        result.int32_data.extend(int(b) for b in bits.reshape(-1))
    return result


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("code", [F16, BF16])
@pytest.mark.parametrize("where", ["initialiser", "constant"])
def test_every_number_is_widened_exactly(tmp_path: Path, code: int, raw: bool, where: str) -> None:
    """All 65536 of them: subnormals, infinities, NaN."""
    bits = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
    weights = tensor("w", code, bits, raw)
    nodes = [node("Mul", ["w", "x"], ["y"])]
    nodes += [node("Constant", [], ["w"], value=weights)] if where == "constant" else []
    built = build(nodes, {"x": example((256, 256))})
    built.graph.initializer.extend([weights] if where == "initialiser" else [])
    imported = load_onnx(save(built, tmp_path))
    (found,) = (n.op.data.array for n in imported.module.nodes if isinstance(n.op, Constant))
    if code == F16:
        with np.errstate(invalid="ignore"):  # signalling NaN
            np.testing.assert_array_equal(found.astype(np.float64), bits.view(np.float16).astype(np.float64))
    else:
        np.testing.assert_array_equal(found.view(np.uint32), bits.astype(np.uint32) << 16)
    assert imported.parameters == 1 << 16
    assert "float16 became float32" in imported.notes[0]


@pytest.mark.parametrize("code", [F16, BF16])
def test_interfaces_and_notes(tmp_path: Path, code: int) -> None:
    built = build([node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["c"])], {"a": example((2, 3))}, outputs=("c",))
    built.graph.input[0].type.tensor_type.elem_type = code
    built.graph.output[0].CopyFrom(helper.make_tensor_value_info("c", code, [2, 3]))
    built.graph.value_info.append(helper.make_tensor_value_info("b", code, [2, 3]))
    path = save(built, tmp_path)
    assert inspect_onnx(path).inputs[0].dtype == ("float16" if code == F16 else "bfloat16")
    imported = load_onnx(path)
    assert imported.inputs[0].value.dtype is imported.outputs[0].value.dtype is DType.F32
    onnx.checker.check_model(imported.model, full_check=True)
    (note,) = imported.notes
    assert ", a, c as well" in note
    assert load_onnx(save(build([node("Relu", ["x"], ["y"])], {"x": example((2,))}), tmp_path)).notes == ()


def half(array: Array) -> Array:
    return array.astype(np.float16)


NETWORKS: list[tuple[list[onnx.NodeProto], dict[str, Array], dict[str, Array], float]] = [
    (
        [node("Cast", ["x"], ["h"], to=F16), node("Mul", ["h", "w"], ["m"]), node("Cast", ["m"], ["y"], to=1)],
        {"x": example((2, 8))},
        {"w": half(example((8,), 1))},
        3 * STEP,  # a rounding of x, one of the product
    ),
    (
        [node("CastLike", ["x", "w"], ["h"]), node("Add", ["h", "w"], ["a"]), node("Cast", ["a"], ["y"], to=1)],
        {"x": example((2, 8))},
        {"w": half(example((8,), 1))},
        3 * STEP,
    ),
    (
        [
            node("Shape", ["x"], ["s"]),
            node("ConstantOfShape", ["s"], ["k"], value=numpy_helper.from_array(np.float16([1.5]), "v")),
            node("Add", ["x", "k"], ["y"]),
        ],
        {"x": half(example((2, 8)))},
        {},
        STEP,
    ),
    (
        [node("LayerNormalization", ["x", "w", "b"], ["y"], stash_type=1)],
        {"x": half(example((2, 8)))},
        {"w": half(example((8,), 1)), "b": half(example((8,), 2))},
        4 * STEP,  # onnxruntime rounds the normalised value, the product and the sum
    ),
    (
        [node("DequantizeLinear", ["q", "s", "z"], ["w"]), node("Mul", ["x", "w"], ["y"])],
        {"x": half(example((2, 8)))},
        {"q": example((8,), 1, np.int8), "s": np.float16(0.125), "z": np.int8(2)},
        STEP,
    ),
]


@pytest.mark.parametrize(("nodes", "inputs", "constants", "tolerance"), NETWORKS)
def test_as_the_original_in_onnxruntime(
    tmp_path: Path, nodes: list[onnx.NodeProto], inputs: dict[str, Array], constants: dict[str, Array], tolerance: float
) -> None:
    """The original rounds its results to float16; ours and the widened model do not."""
    built = build(nodes, inputs, constants, opset=19)
    original = [np.asarray(a, np.float32) for a in run_onnxruntime(built, inputs)]
    imported = load_onnx(save(built, tmp_path))
    feeds: dict[str, Array] = {n: a.astype(np.float32) for n, a in inputs.items()}
    found = run_imported(imported, feeds)
    assert_close(found, original, tolerance)
    assert_close(found, run_onnxruntime(imported.model, feeds), 2e-6)


def test_branches(tmp_path: Path) -> None:
    def body(name: str) -> onnx.GraphProto:
        nodes = [node("Cast", ["x"], [f"{name}h"], to=F16), node("Mul", [f"{name}h", f"{name}k"], [f"{name}y"])]
        nodes.insert(0, node("Constant", [], [f"{name}k"], value=numpy_helper.from_array(np.float16(3), "v")))
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(f"{name}y", F16, None)])

    nodes = [node("If", ["c"], ["i"], then_branch=body("a"), else_branch=body("b")), node("Cast", ["i"], ["y"], to=1)]
    x = {"x": example((2, 3))}
    imported = load_onnx(save(build(nodes, x, {"c": np.array(True)}), tmp_path))
    np.testing.assert_array_equal(run_imported(imported, x)[0], 3 * x["x"])
    np.testing.assert_array_equal(run_onnxruntime(imported.model, x)[0], 3 * x["x"])


def test_local_functions(tmp_path: Path) -> None:
    inside = [node("Cast", ["a"], ["h"], to=F16), node("Cast", ["h"], ["b"], to=1)]
    built = build([node("F", ["x"], ["y"], domain="mine")], {"x": example((3,))})
    built.opset_import.append(helper.make_opsetid("mine", 1))
    built.functions.append(helper.make_function("mine", "F", ["a"], ["b"], inside, [helper.make_opsetid("", 17)]))
    assert load_onnx(save(built, tmp_path)).notes


def test_external_data(tmp_path: Path) -> None:
    w = half(example((8,), 1))
    x: dict[str, Any] = {"x": example((2, 8))}
    built = build([node("Cast", ["w"], ["f"], to=1), node("Mul", ["x", "f"], ["y"])], x, {"w": w})
    onnx.save(built, tmp_path / "m.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    np.testing.assert_array_equal(run_imported(load_onnx(tmp_path / "m.onnx"), x)[0], x["x"] * w.astype(np.float32))


def test_malformed(tmp_path: Path) -> None:
    built = build([node("Add", ["x", "w"], ["y"])], {"x": example((8,))}, {"w": half(example((8,)))})
    built.graph.initializer[0].raw_data = bytes(7 * 2)
    with pytest.raises(FrontendError, match='the initialiser "w" is malformed: 7 elements'):
        load_onnx(save(built, tmp_path))


@pytest.mark.skipif(onnx.defs.onnx_opset_version() < 26, reason="BitCast is of opset 26")
def test_bits_of_halves_are_refused(tmp_path: Path) -> None:
    nodes = [node("BitCast", ["w"], ["h"], to=F16, name="bits"), node("Cast", ["h"], ["f"], to=1)]
    nodes.append(node("Add", ["x", "f"], ["y"]))
    built = build(nodes, {"x": example((8,))}, {"w": np.zeros(8, np.int16)}, opset=26)
    with pytest.raises(FrontendError, match="node bits"):
        load_onnx(save(built, tmp_path))


# What rounding each of 9 to 30 layers to float16 costs, relative to the largest output. Measured: 4e-4, 1.2e-4, 2.8e-3
# and 2.9e-4; the third has sums of large numbers that cancel.
MODELS = {
    "match_resnet_block": 1e-3,
    "mlperf_kws_dscnn_tf2onnx": 1e-3,
    "mlperf_resnet8_tf2onnx": 6e-3,
    "squeezenet_fp16w": 1e-3,
}


@pytest.mark.parametrize(("name", "tolerance"), MODELS.items())
def test_models(name: str, tolerance: float) -> None:
    path = model(f"fp16/{name}.onnx")
    imported = load_onnx(path)
    (port,) = imported.inputs
    x = half(example(port.onnx_shape))
    original = run_onnxruntime(onnx.load(path), {port.name: x})
    found = run_imported(imported, {port.name: x.astype(np.float32)})
    assert_close(found, [a.astype(np.float32) for a in original], tolerance)


def test_case() -> None:
    path = DATA / "cases" / "import" / "float16_weights.onnx"
    if not path.exists():
        pytest.skip(f"{path} is missing (TINYC_TEST_DATA names the folder that has cases/)")
    x = {"x": example((1, 8))}
    # The weights are float16, the products are of float32: nothing is rounded but sums.
    assert_close(run_imported(load_onnx(path), x), run_onnxruntime(onnx.load(path), x), 2e-6)
