"""Another batch than the model was exported with: each sample comes out as it does in the whole batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.frontend.support import assert_close, build, example, run_imported, run_onnxruntime, save
from tests.helpers import DATA
from tinyc.compiler.frontend import FrontendError, load_onnx
from tinyc.ir.tensor import Array

node = helper.make_node
IMAGE = {"x": example((8, 2, 6, 6))}
WEIGHTS = {"w": example((4, 2, 3, 3), 1)}


def ints(*values: int) -> Array:
    return np.array(values, np.int64)


def agree(path: Path, model: onnx.ModelProto, inputs: Mapping[str, Array], axes: Mapping[str, int]) -> None:
    """Every sample alone, by the module and by the model that verification runs, against the whole batch at once.

    Tolerance: as between our sums and onnxruntime's elsewhere.
    """
    whole = run_onnxruntime(model, inputs)
    shapes = {n: tuple(1 if k == axes[n] else d for k, d in enumerate(a.shape)) for n, a in inputs.items()}
    imported = load_onnx(path, input_shapes=shapes)
    assert "batch 1 instead of" in imported.notes[-1]
    assert not imported.model.graph.value_info
    declared = [[d.dim_value for d in o.type.tensor_type.shape.dim] for o in imported.model.graph.output]
    if model.ir_version >= 4:  # before, the checker wants initialisers to be inputs, which onnxruntime does not
        onnx.checker.check_model(imported.model)
    count = next(iter(inputs.values())).shape[next(iter(axes.values()))]
    for k in range(count):
        alone = {n: a.take([k], axes[n]) for n, a in inputs.items()}
        expected = []
        for output, shape in zip(whole, declared, strict=True):
            axis = next(d for d, (new, old) in enumerate(zip(shape, output.shape, strict=True)) if new != old)
            each = output.shape[axis] // count
            assert shape[axis] == each
            expected.append(output.take(range(k * each, (k + 1) * each), axis))
        assert_close(run_imported(imported, alone), expected, 2e-6)
        assert_close(run_onnxruntime(imported.model, alone), expected, 2e-6)


def check(
    tmp_path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Array],
    constants: Mapping[str, Array],
    axes: Mapping[str, int] | None = None,
    **more: Any,
) -> None:
    model = build(nodes, inputs, constants, **more)
    agree(save(model, tmp_path), model, inputs, axes or dict.fromkeys(inputs, 0))


CONV = node("Conv", ["x", "w"], ["c"])  # [8,4,4,4]
RESHAPES: list[tuple[list[int], ...]] = [
    ([8, 64],),
    ([8, -1],),
    ([0, 64],),
    ([-1, 64],),
    ([-1, 16], [8, 4, 16]),
    ([8, 4, 16], [32, 16], [8, 2, 2, 16]),
    ([8, 2, 2, 16], [16, 32], [8, 64]),
    ([1, 8, 64], [8, 1, 0]),
    ([8, 1, 64], [0, 64]),
    ([32, -1], [8, -1]),
]


@pytest.mark.parametrize("shapes", RESHAPES)
def test_reshapes(tmp_path: Path, shapes: tuple[list[int], ...]) -> None:
    names = ["c", *(f"r{k}" for k in range(len(shapes)))]
    nodes = [CONV]
    nodes += [node("Reshape", [names[k], f"s{k}"], [names[k + 1]]) for k in range(len(shapes))]
    nodes.append(node("Neg", [names[-1]], ["y"]))
    check(tmp_path, nodes, IMAGE, WEIGHTS | {f"s{k}": ints(*s) for k, s in enumerate(shapes)})


def test_reshapes_that_carry_the_batch_inside_another_dimension(tmp_path: Path) -> None:
    """Attention: heads go before the sequence, then batch and heads are one dimension."""
    nodes = [
        node("Reshape", ["x", "split"], ["s"]),
        node("Transpose", ["s"], ["t"], perm=[0, 2, 1, 3]),
        node("Reshape", ["t", "merge"], ["m"]),
        node("Transpose", ["m"], ["mt"], perm=[0, 2, 1]),
        node("MatMul", ["m", "mt"], ["scores"]),
        node("Softmax", ["scores"], ["p"], axis=-1),
        node("MatMul", ["p", "m"], ["o"]),
        node("Reshape", ["o", "apart"], ["a"]),
        node("Transpose", ["a"], ["b"], perm=[0, 2, 1, 3]),
        node("Reshape", ["b", "join"], ["y"]),
    ]
    shapes = {"split": ints(8, 5, 4, 3), "merge": ints(32, 5, 3), "apart": ints(8, 4, 5, 3), "join": ints(8, 5, 12)}
    check(tmp_path, nodes, {"x": example((8, 5, 12))}, shapes)


def test_time_before_the_batch(tmp_path: Path) -> None:
    """Recurrent nets: the second dimension is the batch, and it is inside the first where steps and samples merge."""
    nodes = [
        node("LSTM", ["x", "w", "r", "", "", "h", "c"], ["s"], hidden_size=4),
        node("Squeeze", ["s", "one"], ["q"]),
        node("Reshape", ["q", "merge"], ["m"]),
        node("MatMul", ["m", "d"], ["p"]),
        node("Reshape", ["p", "apart"], ["y"]),
    ]
    constants = {
        "w": example((1, 16, 3), 1),
        "r": example((1, 16, 4), 2),
        "h": np.zeros((1, 8, 4), np.float32),
        "c": np.tile(example((1, 1, 4), 3), (1, 8, 1)),
        "one": ints(1),
        "d": example((4, 2), 4),
        "merge": ints(8 * 8, 4),
        "apart": ints(8, 8, 2),
    }
    check(tmp_path, nodes, {"x": example((8, 8, 3))}, constants, {"x": 1})


def test_initial_states_from_shapes(tmp_path: Path) -> None:
    nodes = [
        node("ConstantOfShape", ["states"], ["h"]),
        node("GRU", ["x", "w", "r", "", "", "h"], ["", "last"], hidden_size=4),
        node("Reshape", ["last", "flat"], ["y"]),
    ]
    constants = {"w": example((1, 12, 3), 1), "r": example((1, 12, 4), 2), "states": ints(1, 8, 4), "flat": ints(8, 4)}
    check(tmp_path, nodes, {"x": example((5, 8, 3))}, constants, {"x": 1})


def test_constants_repeated_for_each_sample(tmp_path: Path) -> None:
    """A class token before the sequence, and positions added to it."""
    nodes = [
        node("Expand", ["token", "shape"], ["tokens"]),
        node("Concat", ["tokens", "x"], ["all"], axis=1),
        node("Add", ["all", "positions"], ["placed"]),
        node("PRelu", ["placed", "slopes"], ["bent"]),
        node("Gather", ["bent", "zero"], ["first"], axis=1),
        node("Gemm", ["first", "w", "bias"], ["y"]),
    ]
    constants = {
        "token": example((1, 1, 8), 1),
        "shape": ints(8, 1, 8),
        "positions": np.tile(example((1, 4, 8), 2), (8, 1, 1)),
        "slopes": np.tile(example((1, 1, 8), 3), (8, 4, 1)),
        "zero": np.array(0, np.int64),
        "w": example((8, 3), 4),
        "bias": np.tile(example((1, 3), 5), (8, 1)),
    }
    check(tmp_path, nodes, {"x": example((8, 3, 8))}, constants)


def test_other_constants_that_carry_the_batch(tmp_path: Path) -> None:
    nodes = [
        CONV,
        node("Resize", ["c", "", "", "sizes"], ["big"], mode="nearest", coordinate_transformation_mode="asymmetric"),
        node("Slice", ["big", "starts", "ends"], ["s"]),
        node("ReduceMean", ["s"], ["m"], axes=[3], keepdims=1),
        node("Expand", ["m", "wide"], ["e"]),
        node("Tile", ["e", "twice"], ["y"]),
    ]
    constants = {
        "sizes": ints(8, 4, 8, 8),
        "starts": ints(0, 0, 2),
        "ends": ints(8, 4, 8),
        "wide": ints(8, 4, 6, 5),
        "twice": ints(1, 2, 1, 1),
    }
    check(tmp_path, nodes, IMAGE, WEIGHTS | constants)


def test_shapes_that_are_computed(tmp_path: Path) -> None:
    """Shape arithmetic follows by itself; where it is folded in part, the constant part follows."""
    nodes = [
        CONV,
        node("Shape", ["c"], ["s"], start=0, end=1),
        node("Constant", [], ["rest"], value=numpy_helper.from_array(ints(64))),
        node("Concat", ["s", "rest"], ["target"], axis=0),
        node("Reshape", ["c", "target"], ["f"]),
        node("Constant", [], ["eight"], value_int=8),
        node("Unsqueeze", ["eight", "zero"], ["e"]),
        node("Concat", ["e", "rest4"], ["again"], axis=0),
        node("Reshape", ["f", "again"], ["y"]),
    ]
    check(tmp_path, nodes, IMAGE, WEIGHTS | {"zero": ints(0), "rest4": ints(4, 4, 4)})


def test_a_constant_that_others_use_too(tmp_path: Path) -> None:
    """The shape [8,16] is that of a reshape, and of another tensor that has nothing to do with the batch."""
    nodes = [
        node("Reshape", ["x", "s"], ["r"]),
        node("Reshape", ["table", "s"], ["t"]),
        node("Gather", ["t", "k"], ["row"], axis=0),
        node("Add", ["r", "row"], ["y"]),
    ]
    constants = {"s": ints(8, 16), "table": example((128,), 1), "k": np.array(5, np.int64)}
    check(tmp_path, nodes, {"x": example((8, 4, 4))}, constants)


def test_weights_that_happen_to_have_the_size_of_the_batch(tmp_path: Path) -> None:
    nodes = [node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), node("Mul", ["c", "scale"], ["y"])]
    constants = {"w": np.ones((8, 8, 3, 3), np.float32), "scale": np.ones((8, 1, 1), np.float32)}
    check(tmp_path, nodes, {"x": example((8, 8, 5, 5))}, constants)


def test_several_inputs(tmp_path: Path) -> None:
    """All that carry the batch follow one that is given; one that is given its own shape stays."""
    nodes = [node("Add", ["x", "z"], ["a"]), node("Reshape", ["a", "s"], ["r"]), node("MatMul", ["r", "m"], ["y"])]
    inputs = {"x": example((8, 2, 3)), "z": example((8, 2, 3), 1), "m": example((6, 4), 2)}
    model = build(nodes, inputs, {"s": ints(8, 6)})
    path = save(model, tmp_path)
    imported = load_onnx(path, input_shapes={"x": (1, 2, 3)})
    assert [p.onnx_shape for p in imported.inputs] == [(1, 2, 3), (1, 2, 3), (6, 4)]
    alone = {"x": inputs["x"][2:3], "z": inputs["z"][2:3], "m": inputs["m"]}
    assert_close(run_imported(imported, alone), [run_onnxruntime(model, inputs)[0][2:3]], 2e-6)
    with pytest.raises(FrontendError, match="Add_0"):
        load_onnx(path, input_shapes={"x": (1, 2, 3), "z": (8, 2, 3)})


def test_several_inputs_of_different_multiples(tmp_path: Path) -> None:
    nodes = [node("Reshape", ["z", "s"], ["r"]), node("Add", ["x", "r"], ["y"])]
    inputs = {"x": example((4, 6)), "z": example((8, 3), 1)}
    path = save(build(nodes, inputs, {"s": ints(4, 6)}), tmp_path)
    imported = load_onnx(path, input_shapes={"x": (1, 6), "z": (2, 3)})
    assert imported.outputs[0].onnx_shape == (1, 6)
    with pytest.raises(FrontendError, match='input "z": a batch of 3'):
        load_onnx(path, input_shapes={"x": (1, 6), "z": (3, 3)})


def test_branches(tmp_path: Path) -> None:
    """The branch that is taken follows; what is noted of the other is dropped."""

    def body(name: str, shape: Array) -> onnx.GraphProto:
        nodes = [node("Reshape", ["x", f"s{name}"], [f"r{name}"])]
        out = helper.make_tensor_value_info(f"r{name}", TensorProto.FLOAT, shape.tolist())
        return helper.make_graph(nodes, name, [], [out], [numpy_helper.from_array(shape, f"s{name}")])

    nodes = [
        node("Size", ["x"], ["n"]),
        node("Greater", ["n", "none"], ["c"]),
        node("If", ["c"], ["i"], then_branch=body("a", ints(8, 72)), else_branch=body("b", ints(8, 8, 9))),
        node("Neg", ["i"], ["y"]),
    ]
    check(tmp_path, nodes, IMAGE, {"none": np.array(0, np.int64)})


def test_branches_are_decided_by_the_new_batch(tmp_path: Path) -> None:
    """What the branch does for batch 8 is as good as gone."""

    def body(op: str) -> onnx.GraphProto:
        return helper.make_graph([node(op, ["x"], [op])], op, [], [helper.make_value_info(op, onnx.TypeProto())])

    nodes = [
        node("Shape", ["x"], ["n"], start=0, end=1),
        node("Equal", ["n", "one"], ["c"]),
        node("If", ["c"], ["i"], then_branch=body("Neg"), else_branch=body("Exp")),
        node("Reshape", ["i", "s"], ["y"]),
    ]
    path = save(build(nodes, IMAGE, {"one": ints(1), "s": ints(8, 72)}), tmp_path)
    imported = load_onnx(path, input_shapes={"x": (1, 2, 6, 6)})
    np.testing.assert_array_equal(run_imported(imported, {"x": IMAGE["x"][:1]})[0], -IMAGE["x"][:1].reshape(1, 72))


@pytest.mark.parametrize("opset", [7, 9])
def test_attributes_of_old_opsets(tmp_path: Path, opset: int) -> None:
    nodes = [
        node("Slice", ["x"], ["s"], starts=[0, 1], ends=[8, 2], axes=[0, 1]),
        node("Reshape", ["s", "shape"], ["y"]),
    ]
    check(tmp_path, nodes, IMAGE, {"shape": ints(8, 36)}, opset=opset)


def test_quantised_operators_of_onnxruntime(tmp_path: Path) -> None:
    ms = "com.microsoft"
    nodes = [
        node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        node("QLinearAdd", ["q", "scale", "zero", "q", "scale", "zero", "wide", "zero"], ["a"], domain=ms),
        node("QLinearSigmoid", ["a", "wide", "zero", "fine", "zero"], ["g"], domain=ms),
        node("Reshape", ["g", "shape"], ["r"]),
        node("DequantizeLinear", ["r", "fine", "zero"], ["y"]),
    ]
    scales = {"scale": np.float32(0.02), "wide": np.float32(0.04), "fine": np.float32(1 / 256)}
    model = build(nodes, {"x": example((8, 2, 6))}, scales | {"zero": np.uint8(128), "shape": ints(8, 12)})
    model.opset_import.append(helper.make_opsetid(ms, 1))
    imported = load_onnx(save(model, tmp_path), input_shapes={"x": (1, 2, 6)})
    assert imported.outputs[0].onnx_shape == (1, 12)


REFUSED: list[tuple[list[onnx.NodeProto], dict[str, Array], str]] = [
    ([node("Reshape", ["x", "s"], ["y"], name="mix")], {"s": ints(4, 144)}, "node mix (Reshape)"),
    ([node("Reshape", ["x", "s"], ["y"], name="mix")], {"s": ints(2, 4, 72)}, "node mix (Reshape)"),
    ([node("Add", ["x", "each"], ["y"], name="each")], {"each": example((8, 2, 6, 6), 3)}, "node each (Add)"),
    ([node("Split", ["x"], ["y", "z"], name="half", axis=0)], {}, "node half (Split)"),
    ([node("Slice", ["x", "s", "e"], ["y"], name="last")], {"s": ints(4), "e": ints(8)}, "node last (Slice)"),
    ([node("ReduceMean", ["x"], ["y"], name="mean", axes=[0])], {}, "node mean (ReduceMean)"),
    ([node("Softmax", ["x"], ["y"], name="over", axis=0)], {}, "node over (Softmax)"),
    (
        [
            node("Flatten", ["x"], ["f"]),
            node("Transpose", ["f"], ["t"]),
            node("MatMul", ["f", "t"], ["y"], name="gram"),
        ],
        {},
        "node gram (MatMul)",
    ),
    ([node("LayerNormalization", ["x", "w"], ["y"], name="norm", axis=0)], {"w": example((8, 2, 6, 6))}, "node norm"),
    ([node("MeanVarianceNormalization", ["x"], ["y"], name="norm")], {}, "node norm"),
    ([node("Gather", ["x", "k"], ["y"], name="pick")], {"k": np.array(3)}, "node pick (Gather)"),
    (
        [
            node("Concat", ["x", "x"], ["c"], axis=0),
            node("Reshape", ["c", "s"], ["y"], name="mix"),
        ],
        {"s": ints(2, 8, 72)},
        "node mix (Reshape)",
    ),
]


@pytest.mark.parametrize(("nodes", "constants", "where"), REFUSED)
def test_nodes_that_do_not_follow_are_named(
    tmp_path: Path, nodes: list[onnx.NodeProto], constants: dict[str, Array], where: str
) -> None:
    path = save(build(nodes, IMAGE, constants), tmp_path)
    with pytest.raises(FrontendError) as caught:
        load_onnx(path, input_shapes={"x": (1, 2, 6, 6)})
    assert where in str(caught.value)
    assert "the batch changes from 8 to 1" in str(caught.value)


def test_a_batch_of_one_stays(tmp_path: Path) -> None:
    path = save(build([node("Relu", ["x"], ["y"])], {"x": example((1, 4))}), tmp_path)
    with pytest.raises(FrontendError, match="does not fit"):
        load_onnx(path, input_shapes={"x": (3, 4)})


def test_one_sample_picked_by_its_number(tmp_path: Path) -> None:
    nodes = [
        node("Gather", ["x", "k"], ["g"]),
        node("Slice", ["x", "k1", "one"], ["s"]),
        node("Sub", ["g", "s"], ["y"]),
    ]
    path = save(build(nodes, IMAGE, {"k": np.array(0), "k1": ints(0), "one": ints(1)}), tmp_path)
    assert load_onnx(path, input_shapes={"x": (1, 2, 6, 6)}).outputs[0].onnx_shape == (1, 2, 6, 6)


def test_flattened_with_another_dimension(tmp_path: Path) -> None:
    nodes = [node("Flatten", ["x"], ["f"], axis=2), node("Relu", ["f"], ["r"]), node("Reshape", ["r", "s"], ["y"])]
    check(tmp_path, nodes, {"x": example((8, 3, 4))}, {"s": ints(8, 3, 2, 2)})


def test_what_no_output_needs_is_dropped(tmp_path: Path) -> None:
    nodes = [
        node("Reshape", ["x", "s"], ["dead"]),
        node("Widget", ["x"], ["z"], domain="mine"),
        node("Relu", ["x"], ["y"]),
    ]
    imported = load_onnx(save(build(nodes, IMAGE, {"s": ints(4, 144)}), tmp_path), input_shapes={"x": (1, 2, 6, 6)})
    assert imported.nodes == 3
    np.testing.assert_array_equal(run_onnxruntime(imported.model, {"x": IMAGE["x"][:1]})[0] >= 0, True)


def test_names_that_are_taken(tmp_path: Path) -> None:
    nodes = [node("Reshape", ["x", "s"], ["r"]), node("Neg", ["r"], ["s_batch_1"]), node("Relu", ["s_batch_1"], ["y"])]
    check(tmp_path, nodes, IMAGE, {"s": ints(8, 72)})


def test_only_the_batch_may_change(tmp_path: Path) -> None:
    path = save(build([CONV, node("Relu", ["c"], ["y"])], IMAGE, WEIGHTS), tmp_path)
    with pytest.raises(FrontendError, match=r"does not fit.*only its batch"):
        load_onnx(path, input_shapes={"x": (1, 2, 6, 7)})


PER_SAMPLE = {
    "Conv": CONV,
    "MaxPool": node("MaxPool", ["x"], ["c"], kernel_shape=[2, 2]),
    "AveragePool": node("AveragePool", ["x"], ["c"], kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 0, 1]),
    "ConvTranspose": node("ConvTranspose", ["x", "t"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
}


@pytest.mark.parametrize("op", PER_SAMPLE)
def test_operators_of_one_sample_are_repeated(tmp_path: Path, op: str) -> None:
    """A note says how to compile for one sample."""
    weights = {"Conv": WEIGHTS, "ConvTranspose": {"t": example((2, 3, 3, 3), 4)}}.get(op, {})
    model = build([PER_SAMPLE[op], node("Relu", ["c"], ["y"])], IMAGE, weights)
    imported = load_onnx(save(model, tmp_path))
    assert_close(run_imported(imported, IMAGE), run_onnxruntime(model, IMAGE), 2e-6)
    (note,) = imported.notes
    assert f"({op}): the batch is 8, one sample after another; " in note
    assert '`input_shapes={"x": (1, 2, 6, 6)}`' in note


def test_more_samples_than_are_repeated(tmp_path: Path) -> None:
    many = {"x": example((65, 2, 6, 6))}
    with pytest.raises(FrontendError, match=r"batch is 65; only .*`input_shapes={\"x\": \(1, 2, 6, 6\)}`"):
        load_onnx(save(build([CONV, node("Relu", ["c"], ["y"])], many, WEIGHTS), tmp_path))


def test_a_batch_made_inside_is_not_blamed_on_the_input(tmp_path: Path) -> None:
    nodes = [node("Reshape", ["x", "s"], ["r"]), node("Conv", ["r", "w"], ["y"])]
    inputs = {"x": example((1, 6, 2, 5, 5))}
    model = build(nodes, inputs, WEIGHTS | {"s": ints(6, 2, 5, 5)})
    imported = load_onnx(save(model, tmp_path))
    assert_close(run_imported(imported, inputs), run_onnxruntime(model, inputs), 2e-6)
    (note,) = imported.notes
    assert "the batch is 6, one sample after another; the model makes it of one input" in note


def test_case(tmp_path: Path) -> None:
    path = DATA / "cases" / "import" / "fixed_batch_8.onnx"
    if not path.exists():
        pytest.skip(f"{path} is missing (TINYC_TEST_DATA names the folder that has cases/)")
    agree(path, onnx.load(path), IMAGE, {"x": 0})
