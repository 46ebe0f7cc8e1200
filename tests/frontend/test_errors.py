"""Bad input: each kind gets one message that says what to do, and never another exception."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.frontend.support import build, example, save
from tests.helpers import DATA
from tinyc.compiler.frontend import FrontendError, inspect_onnx, load_onnx

RELU = helper.make_node("Relu", ["x"], ["y"])
X = {"x": example((1, 3, 8, 8))}


def refuse(path: Path, *parts: str, **options: Any) -> None:
    with pytest.raises(FrontendError) as caught:
        load_onnx(path, **options)
    for part in parts:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def refuse_model(tmp_path: Path, model: onnx.ModelProto, *parts: str, **options: Any) -> None:
    refuse(save(model, tmp_path), *parts, **options)


def with_input(shape: list[int | str | None] | None, code: int = TensorProto.FLOAT) -> onnx.ModelProto:
    model = build([RELU], X)
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", code, shape))
    return model


def test_missing_file(tmp_path: Path) -> None:
    refuse(tmp_path / "none.onnx", "none.onnx", "No such file")


def test_directory(tmp_path: Path) -> None:
    refuse(tmp_path, "is a directory")


@pytest.mark.parametrize("data", [b"", b"hello, this is a text", b"\x89PNG\r\n\x1a\n" + bytes(50), bytes(100)])
def test_not_onnx(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file.onnx"
    path.write_bytes(data)
    refuse(path, "is not an ONNX file")
    with pytest.raises(FrontendError):
        inspect_onnx(path)


def test_truncated_at_every_byte(tmp_path: Path) -> None:
    model = build([helper.make_node("Conv", ["x", "w"], ["y"])], X, {"w": example((2, 3, 1, 1))})
    data = model.SerializeToString()
    path = tmp_path / "cut.onnx"
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(FrontendError):
            load_onnx(path)


def test_empty_graph(tmp_path: Path) -> None:
    graph = helper.make_graph([], "g", [], [])
    refuse_model(tmp_path, helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), "no outputs")


def test_missing_external_data(tmp_path: Path) -> None:
    model = build([helper.make_node("Add", ["x", "w"], ["y"])], X, {"w": example((8,))})
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "weights.bin")
    model.graph.initializer[0].ClearField("raw_data")
    refuse_model(tmp_path, model, "external data", "weights.bin")


def test_external_data(tmp_path: Path) -> None:
    model = build([helper.make_node("Add", ["x", "w"], ["y"])], X, {"w": example((8,))})
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert load_onnx(tmp_path / "m.onnx").parameters == 8


def test_an_opset_that_is_too_new(tmp_path: Path) -> None:
    model = build([RELU], X)
    model.opset_import[0].version = 999
    refuse_model(tmp_path, model, "opset 999 is newer")


def test_an_old_opset_that_cannot_be_converted(tmp_path: Path) -> None:
    model = build([helper.make_node("Affine", ["x"], ["y"], alpha=2.0)], X)
    model.opset_import[0].version = 5
    refuse_model(
        tmp_path, model, "opset 5", "oldest that tinyc takes (7)", "cannot be converted", "export the model again"
    )


def test_no_opset_of_onnx(tmp_path: Path) -> None:
    model = build([RELU], X)
    model.opset_import[0].domain = "com.example"
    refuse_model(tmp_path, model, "no opset of ONNX's own operators")


@pytest.mark.parametrize("own", [None, 1, 999])
def test_models_without_operators_of_onnx(tmp_path: Path, own: int | None) -> None:
    """What opset they declare of ONNX's own operators, if any, does not matter: the unknown operators are named."""
    nodes = [
        helper.make_node("Scaler", ["x"], ["s"], domain="ai.onnx.ml", name="scale", offset=[0.0], scale=[1.0]),
        helper.make_node("Normalizer", ["s"], ["y"], domain="ai.onnx.ml"),
    ]
    model = build(nodes, X)
    model.opset_import[0].domain, model.opset_import[0].version = "ai.onnx.ml", 3
    if own is not None:
        model.opset_import.append(helper.make_opsetid("", own))
    refuse_model(tmp_path, model, "ai.onnx.ml:Scaler (node scale)", "ai.onnx.ml:Normalizer (node Normalizer_1)")
    found = inspect_onnx(tmp_path / "model.onnx")
    assert found.opset == (own or 0)
    assert [u.operator for u in found.unsupported] == ["ai.onnx.ml:Scaler", "ai.onnx.ml:Normalizer"]


def test_a_model_of_another_domain_alone(tmp_path: Path) -> None:
    """onnxruntime's own operators need no opset of ONNX's."""
    names = ["x", "s", "z"]
    node = helper.make_node("QLinearSigmoid", [*names, "s", "z"], ["y"], domain="com.microsoft")
    model = build([node], {"x": example((1, 8), dtype=np.uint8)}, {"s": np.float32(0.1), "z": np.uint8(3)})
    model.opset_import[0].domain, model.opset_import[0].version = "com.microsoft", 1
    assert load_onnx(save(model, tmp_path)).module.outputs[0].shape == (1, 8)


def test_all_unsupported_operators_are_named(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("NonMaxSuppression", ["x"], ["a"], name="first"),
        helper.make_node("Widget", ["a"], ["b"], name="second", domain="com.example"),
        helper.make_node("Widget", ["b"], ["y"], domain="com.example"),
    ]
    parts = ("NonMaxSuppression (node first)", "com.example:Widget (nodes second, Widget_2)")
    refuse_model(tmp_path, build(nodes, X), *parts)
    found = inspect_onnx(tmp_path / "model.onnx")
    assert [u.loc for u in found.unsupported] == ["first", "second", "Widget_2"]


def test_dead_branch_may_be_unsupported(tmp_path: Path) -> None:
    nodes = [RELU, helper.make_node("Widget", ["x"], ["z"], domain="com.example")]
    assert len(load_onnx(save(build(nodes, X), tmp_path)).module.nodes) == 1


def test_symbolic_dimensions(tmp_path: Path) -> None:
    path = save(with_input(["N", 3, "height", None]), tmp_path)
    refuse(path, '"x"', "2 (height), 3 (?)", '`input_shapes={"x": (1, 3, <height>, <?>)}`')
    assert load_onnx(path, input_shapes={"x": (1, 3, 4, 5)}).inputs[0].onnx_shape == (1, 3, 4, 5)


@pytest.mark.parametrize("batch", ["N", None, 0])
def test_symbolic_batch_is_one(tmp_path: Path, batch: Any) -> None:
    imported = load_onnx(save(with_input([batch, 3]), tmp_path))
    assert imported.inputs[0].onnx_shape == (1, 3)
    assert [d.dim_value for d in imported.model.graph.input[0].type.tensor_type.shape.dim] == [1, 3]


def test_one_name_has_one_size(tmp_path: Path) -> None:
    model = build([helper.make_node("Add", ["a", "b"], ["y"])], {"a": X["x"], "b": X["x"]})
    for k, shape in enumerate((["t", 3], [1, "t", 3])):
        model.graph.input[k].CopyFrom(helper.make_tensor_value_info("ab"[k], TensorProto.FLOAT, shape))
    path = save(model, tmp_path)
    assert load_onnx(path).inputs[1].onnx_shape == (1, 1, 3)
    assert load_onnx(path, input_shapes={"a": (5, 3)}).inputs[1].onnx_shape == (1, 5, 3)
    refuse(path, '"t" is given as 5 and as 4', input_shapes={"a": (5, 3), "b": (1, 4, 3)})


def test_no_shape(tmp_path: Path) -> None:
    path = save(with_input(None), tmp_path)
    refuse(path, 'input "x" declares no shape', '`input_shapes={"x": (1, ...)}`')
    assert load_onnx(path, input_shapes={"x": (2, 3)}).inputs[0].onnx_shape == (2, 3)


def test_wrong_input_shapes(tmp_path: Path) -> None:
    path = save(build([RELU], X), tmp_path)
    refuse(path, 'no input "z"', "inputs: x", input_shapes={"z": (1,)})
    refuse(path, "[1, 3, 8, 9]", "[1, 3, 8, 8]", input_shapes={"x": (1, 3, 8, 9)})
    refuse(path, "[1, 3, 8]", "does not fit", input_shapes={"x": (1, 3, 8)})
    refuse(path, "below 1", input_shapes={"x": (1, 3, 8, 0)})


def test_unknown_layout(tmp_path: Path) -> None:
    refuse(save(build([RELU], X), tmp_path), '"hwc"', input_layout="hwc")


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        (TensorProto.DOUBLE, ("double", "float32")),
        (TensorProto.STRING, ("string", "text")),
        (TensorProto.UINT16, ("uint16", "int8")),
        (12345, ("number 12345",)),
    ],
)
def test_element_types(tmp_path: Path, code: int, parts: tuple[str, ...]) -> None:
    refuse_model(tmp_path, with_input([1, 3], code), 'input "x"', *parts)


def test_element_type_of_a_weight(tmp_path: Path) -> None:
    model = build([helper.make_node("Add", ["x", "w"], ["y"])], X, {"w": example((8,)).astype(np.float64)})
    refuse_model(tmp_path, model, 'initialiser "w"', "double")


def test_element_type_of_a_cast(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.DOUBLE, name="up")]
    refuse_model(tmp_path, build(nodes, X), "node up", "double")


def test_input_that_is_no_tensor(tmp_path: Path) -> None:
    model = build([RELU], X)
    inner = helper.make_tensor_type_proto(TensorProto.FLOAT, [1])
    model.graph.input[0].CopyFrom(helper.make_value_info("x", helper.make_sequence_type_proto(inner)))
    refuse_model(tmp_path, model, 'input "x"', "not a tensor")


def test_sparse_initialiser(tmp_path: Path) -> None:
    model = build([helper.make_node("Add", ["x", "w"], ["y"])], X)
    values = numpy_helper.from_array(np.ones(1, np.float32), "w")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "i")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [8]))
    refuse_model(tmp_path, model, '"w" is sparse')


NODES: list[tuple[str, list[str], dict[str, Any], tuple[str, ...]]] = [
    ("Conv", ["x", "w"], {"group": 2}, ("node it (Conv)", "group")),
    ("Conv", ["x", "w"], {"kernel_shape": [5, 5]}, ("kernel_shape",)),
    ("Conv", ["x", "w"], {"auto_pad": "SOMEHOW"}, ('auto_pad "SOMEHOW"',)),
    ("Conv", ["x", "w"], {"strides": 2}, ("attribute strides", "INT")),
    ("Conv", ["x", "w"], {"pads": [-1, 0, 0, 0]}, ("negative",)),
    ("Conv", ["x", "w"], {"strides": [0, 1]}, ("at least 1",)),
    ("Conv", ["x"], {}, ("input 1 is missing",)),
    ("Conv", ["batch", "w"], {}, ("the batch is 65", "batch 1")),
    ("MaxPool", ["batch"], {"kernel_shape": [2, 2]}, ("the batch is 65",)),
    ("Conv", ["volume", "w"], {}, ("do not fit the input",)),
    ("MaxPool", ["x"], {}, ("attribute kernel_shape is missing",)),
    ("MaxPool", ["x"], {"kernel_shape": [9, 9]}, ("does not fit",)),
    ("BatchNormalization", ["x", "v", "v", "v", "v"], {"training_mode": 1}, ("training_mode = 1",)),
    ("Reshape", ["x", "computed"], {}, ("computed from the model's inputs",)),
    ("Softmax", ["x"], {"axis": 7}, ("axis 7",)),
    ("Transpose", ["x"], {"perm": [0, 1]}, ("permutation",)),
    ("Add", ["x", "v3"], {}, ("broadcast",)),
    ("Add", ["x", "integer"], {}, ("different element types",)),
    ("Concat", ["x", "batch"], {"axis": 1}, ("does not join",)),
    ("Relu", ["missing"], {}, ('"missing" is produced by no input',)),
    ("DepthToSpace", ["x"], {"blocksize": 2}, ("blocks",)),
    ("Resize", ["x", "", "v"], {"coordinate_transformation_mode": "tf_crop_and_resize"}, ("tf_crop_and_resize",)),
]  # fmt: skip


@pytest.mark.parametrize(("op", "names", "attributes", "parts"), NODES)
def test_nodes(tmp_path: Path, op: str, names: list[str], attributes: dict[str, Any], parts: tuple[str, ...]) -> None:
    inputs = X | {
        "batch": example((65, 3, 8, 8)),
        "volume": example((1, 3, 4, 4, 4)),
        "computed": np.zeros(4, np.int64),
    }
    constants = {"w": example((4, 3, 3, 3)), "v": example((3,)), "v3": example((5,)), "integer": np.array(1)}
    node = helper.make_node(op, names, ["y"], name="it", **attributes)
    refuse_model(tmp_path, build([node], inputs, constants), "it", *parts)


def test_unsupported_output(tmp_path: Path) -> None:
    nodes = [helper.make_node("MaxPool", ["x"], ["y", "i"], kernel_shape=[2, 2], name="pool")]
    load_onnx(save(build(nodes, X), tmp_path))
    refuse_model(tmp_path, build(nodes, X, outputs=("i",)), "node pool", "output 1")


def corrupt_dims(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[0] = 1000


def corrupt_name(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "elsewhere"


def corrupt_text(model: onnx.ModelProto) -> None:
    model.graph.node[0].name = "\x1b[31m red\n"
    corrupt_output(model)


def corrupt_output(model: onnx.ModelProto) -> None:
    model.graph.node.append(model.graph.node[0])


@pytest.mark.parametrize(
    ("corrupt", "part"),
    [
        (corrupt_dims, '"w" is malformed'),
        (corrupt_name, "elsewhere"),
        (corrupt_output, "another tensor"),
        (corrupt_text, "x1b[31m red"),
    ],
)
def test_malformed(tmp_path: Path, corrupt: Callable[[onnx.ModelProto], None], part: str) -> None:
    model = build([helper.make_node("Add", ["x", "w"], ["y"])], X, {"w": example((8,))})
    corrupt(model)
    refuse_model(tmp_path, model, part)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(build([RELU], X).SerializeToString().replace(b"Relu", b"Re\xffu"))
    refuse(path, "not UTF-8")


def test_unknown_operator_on_constants(tmp_path: Path) -> None:
    nodes = [helper.make_node("Widget", ["w"], ["v"]), helper.make_node("Add", ["x", "v"], ["y"])]
    refuse_model(tmp_path, build(nodes, X, {"w": example((8,))}), "Widget (node Widget_0)")


HUGE = 10**12
SIZES: list[tuple[str, list[str], dict[str, Any], dict[str, Any]]] = [
    ("Tile", ["x", "c"], {"c": np.array([1, 1, HUGE, 1])}, {}),
    ("Expand", ["x", "c"], {"c": np.array([HUGE, 3, 8, 8])}, {}),
    ("Pad", ["x", "c"], {"c": np.array([0] * 6 + [HUGE, 0])}, {}),
    ("Pad", ["x", "c"], {"c": np.array([0] * 6 + [HUGE, 0])}, {"mode": "edge"}),
    ("Resize", ["x", "", "c"], {"c": np.array([1, 1, 1e9, 1], np.float32)}, {}),
    ("Resize", ["x", "", "", "c"], {"c": np.array([1, 3, HUGE, 8])}, {"mode": "linear"}),
    ("ConvTranspose", ["x", "c"], {"c": example((3, 2, 3, 3))}, {"strides": [10**6, 10**6]}),
    ("HannWindow", ["c"], {"c": np.array(HUGE)}, {}),
    ("Range", ["a", "c", "b"], {"a": np.array(0), "c": np.array(HUGE), "b": np.array(1)}, {}),
    ("ConstantOfShape", ["c"], {"c": np.array([HUGE])}, {}),
]


@pytest.mark.parametrize(("op", "names", "constants", "attributes"), SIZES)
def test_huge_results_are_refused_before_they_are_made(
    tmp_path: Path, op: str, names: list[str], constants: dict[str, Any], attributes: dict[str, Any]
) -> None:
    path = save(build([helper.make_node(op, names, ["y"], **attributes)], X, constants), tmp_path)
    tracemalloc.start()
    refuse(path, "67,108,864 fit into no target")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20


@pytest.mark.parametrize("shape", [(1, 3, 20000, 20000), (1, 3, HUGE, 8), (HUGE, 3)])
def test_huge_inputs_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    refuse_model(tmp_path, with_input(list(shape)), 'input "x"', "fit into no target")
    open_shape = save(with_input([None] * len(shape)), tmp_path, "open.onnx")
    refuse(open_shape, 'input "x"', "fit into no target", input_shapes={"x": shape})
    refuse(open_shape, 'input "x"', "fit into no target", input_shapes={"x": (10**40, *shape[1:])})


def test_an_initialiser_of_a_huge_shape(tmp_path: Path) -> None:
    model = build([helper.make_node("Add", ["x", "w"], ["y"])], X, {"w": example((8,))})
    model.graph.initializer[0].dims[:] = [10**6, 10**6]
    refuse_model(tmp_path, model, 'the initialiser "w"', "fit into no target")


def test_a_huge_file(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no room
    refuse(path, "more than 256 MB")


@pytest.mark.parametrize("name", ["a" * 300 + ".onnx", "nul\0.onnx", "a/" * 3000 + "b.onnx"])
def test_impossible_paths(tmp_path: Path, name: str) -> None:
    for call in (load_onnx, inspect_onnx):
        with pytest.raises(FrontendError, match="cannot be read") as caught:
            call(tmp_path / name)
        assert "\0" not in str(caught.value)


def test_ir_versions(tmp_path: Path) -> None:
    model = build([RELU], X)
    model.ir_version = 10**6
    refuse_model(tmp_path, model, "IR version 1000000", "upgrade onnx")
    model.ClearField("ir_version")
    assert load_onnx(save(model, tmp_path)).model.ir_version > 0


def test_names_of_inputs(tmp_path: Path) -> None:
    model = build([RELU], X)
    model.graph.input.append(model.graph.input[0])
    refuse_model(tmp_path, model, 'two inputs of the graph are called "x"')
    model.graph.input[1].name = ""
    refuse_model(tmp_path, model, "input 1 of the graph has no name")


CASES = {
    "loop_static": "Loop (node Loop_y)",
    "contrib_gelu": "com.microsoft:Gelu (node Gelu_y)",
    "contrib_fusedconv": "com.microsoft:FusedConv (node FusedConv_y)",
    "ml_scaler": "ai.onnx.ml:Scaler (node Scaler_y)",
}
"""Models that are refused so far, and the node each is refused for."""


@pytest.mark.parametrize(("name", "part"), CASES.items())
def test_cases(name: str, part: str) -> None:
    path = DATA / "cases" / "import" / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path} is missing (TINYC_TEST_DATA names the folder that has cases/)")
    refuse(path, part)


def test_huge_constants_are_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("ConstantOfShape", ["s"], ["c"], name="huge"), helper.make_node("Add", ["x", "c"], ["y"])]
    refuse_model(tmp_path, build(nodes, X, {"s": np.array([1 << 40], np.int64)}), "huge")
