"""What an import gives besides arithmetic: names, ports, constants, branches and counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.frontend.support import build, check, example, run_imported, run_onnxruntime, save
from tinyc.compiler.frontend import inspect_onnx, load_onnx

X = {"x": example((1, 3, 6, 5))}


def test_names_and_locations(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a/b"], name="conv one"),
        helper.make_node("Relu", ["a/b"], ["y"]),
    ]
    imported = check(tmp_path, nodes, X, {"w": example((2, 3, 3, 3))})
    names = [n.result.name for n in imported.module.nodes]
    assert names[-2:] == ["a/b", "y"]
    assert {n.loc for n in imported.module.nodes if n.op.mnemonic != "constant"} == {"conv one", "Relu_1"}
    assert imported.tensors["a/b"].shape == (1, 2, 4, 3)
    assert imported.tensors["x"] == imported.module.inputs[0]
    assert imported.module.name == "model"
    assert load_onnx(tmp_path / "model.onnx", name="other").module.name == "other"


def test_channels_last_inputs(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Add", ["c", "v"], ["y"]),
    ]
    feeds = X | {"v": example((3,))}
    model = build(nodes, feeds, {"w": example((2, 3, 3, 3))})
    imported = load_onnx(save(model, tmp_path), input_layout="nhwc")
    x, v = imported.inputs
    assert (x.value.shape, x.onnx_shape, x.perm) == ((1, 6, 5, 3), (1, 3, 6, 5), (0, 2, 3, 1))
    assert (v.value.shape, v.perm) == ((3,), None)
    assert x.value.name == "x"
    assert imported.tensors["x"].shape == (1, 3, 6, 5)
    np.testing.assert_allclose(run_imported(imported, feeds)[0], run_onnxruntime(model, feeds)[0], atol=1e-5)


def test_outputs_that_no_node_makes(tmp_path: Path) -> None:
    """Outputs may be inputs, constants and repeated: the module refers to these values themselves."""
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Identity", ["x"], ["i"])]
    nodes += [helper.make_node("Identity", ["w"], ["k"]), helper.make_node("Identity", ["y"], ["again"])]
    imported = check(tmp_path, nodes, X, {"w": example((4,))}, outputs=("y", "i", "k", "again"))
    assert [p.name for p in imported.outputs] == ["y", "i", "k", "again"]
    assert imported.outputs[1].value == imported.inputs[0].value
    assert imported.outputs[0].value == imported.outputs[3].value


def test_direct_and_duplicate_outputs(tmp_path: Path) -> None:
    model = build([], X, {"w": example((4,))}, outputs=("x", "w", "x"))
    outputs = load_onnx(save(model, tmp_path)).outputs
    assert [p.value.name for p in outputs] == ["x", "w", "x"]


def test_initialisers_listed_as_inputs_are_constants(tmp_path: Path) -> None:
    w = example((5,))
    model = build([helper.make_node("Add", ["x", "w"], ["y"])], X | {"w": w}, {"w": w}, opset=7)
    imported = load_onnx(save(model, tmp_path))
    assert [p.name for p in imported.inputs] == ["x"]
    np.testing.assert_array_equal(run_imported(imported, X)[0], X["x"] + w)


def test_parameters_count_floats_in_use(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(example((5,)))),
        helper.make_node("Mul", ["x", "k"], ["m"]),
        helper.make_node("Add", ["m", "w"], ["a"]),
        helper.make_node("Reshape", ["a", "s"], ["y"]),
    ]
    constants = {"w": example((6, 5)), "unused": example((100,)), "s": np.array([-1], np.int64)}
    imported = check(tmp_path, nodes, X, constants)
    assert imported.parameters == 35
    assert imported.nodes == 4
    found = inspect_onnx(tmp_path / "model.onnx")
    assert (found.parameters, found.opset, found.unsupported) == (35, 17, ())
    assert dict(found.operators) == {"Add": 1, "Constant": 1, "Mul": 1, "Reshape": 1}
    assert found.inputs[0].shape == (1, 3, 6, 5)


@pytest.mark.parametrize("attribute", ["value_float", "value_floats", "value_int", "value_ints"])
def test_constants(tmp_path: Path, attribute: str) -> None:
    values = {"value_float": 1.5, "value_floats": [1.5, 2.5], "value_int": 3, "value_ints": [3, 4]}
    nodes = [helper.make_node("Constant", [], ["k"], **{attribute: values[attribute]})]
    nodes.append(helper.make_node("Cast", ["k"], ["y"], to=TensorProto.INT32))
    check(tmp_path, nodes, X)


def test_shape_arithmetic_is_folded(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], start=1, end=3),
        helper.make_node("Size", ["x"], ["n"]),
        helper.make_node("Range", ["zero", "n", "ten"], ["r"]),
        helper.make_node("ConstantOfShape", ["s"], ["z"], value=numpy_helper.from_array(np.array([2], np.int64))),
        helper.make_node("ReduceSum", ["z"], ["total"], keepdims=0),
        helper.make_node("Add", ["r", "total"], ["y"]),
    ]
    imported = check(tmp_path, nodes, X, {"zero": np.array(0, np.int64), "ten": np.array(10, np.int64)})
    assert [n.op.mnemonic for n in imported.module.nodes] == ["constant"]


def test_operators_on_constants_are_evaluated_by_onnx(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("NonZero", ["s"], ["n"]),
        helper.make_node("CumSum", ["s", "axis"], ["c"]),
        helper.make_node("Add", ["n", "c"], ["y"]),
    ]
    imported = check(tmp_path, nodes, X, {"axis": np.array(0, np.int64)})
    assert [n.op.mnemonic for n in imported.module.nodes] == ["constant"]


@pytest.mark.parametrize("rank", [3, 4])
def test_branches_on_shapes_are_decided(tmp_path: Path, rank: int) -> None:
    def body(op: str) -> onnx.GraphProto:
        out = helper.make_tensor_value_info("r", TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(op, ["x"], ["r"])], op, [], [out])

    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Size", ["s"], ["n"]),
        helper.make_node("Equal", ["n", "four"], ["c"]),
        helper.make_node("If", ["c"], ["y"], then_branch=body("Neg"), else_branch=body("Abs"), name="if"),
    ]
    feeds = {"x": example((2,) * rank)}
    imported = check(tmp_path, nodes, feeds, {"four": np.array(4, np.int64)})
    (node,) = imported.module.nodes
    assert (node.op.mnemonic, node.loc) == ("neg" if rank == 4 else "abs", f"if/{'Neg' if rank == 4 else 'Abs'}_0")


def test_local_functions(tmp_path: Path) -> None:
    body = [helper.make_node("Mul", ["a", "a"], ["m"]), helper.make_node("Relu", ["m"], ["b"])]
    function = helper.make_function("mine", "Square", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    model = build([helper.make_node("Square", ["x"], ["y"], domain="mine")], X)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    model.functions.append(function)
    imported = load_onnx(save(model, tmp_path))
    np.testing.assert_array_equal(run_imported(imported, X)[0], X["x"] ** 2)


def test_spelled_out_domain(tmp_path: Path) -> None:
    model = build([helper.make_node("Relu", ["x"], ["y"], domain="ai.onnx")], X)
    model.opset_import[0].domain = "ai.onnx"
    assert len(load_onnx(save(model, tmp_path)).module.nodes) == 1


def test_equal_constants_are_one(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "v"], ["a"]), helper.make_node("Mul", ["a", "w"], ["y"])]
    imported = check(tmp_path, nodes, X, {"v": example((5,)), "w": example((5,))})
    assert len(list(imported.module.constants())) == 1
