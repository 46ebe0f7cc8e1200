"""Models from before numpy's broadcasting, opsets 1 to 6."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.frontend.support import example, run_imported
from tinyc.compiler.frontend import FrontendError, load_onnx
from tinyc.compiler.frontend.old_opsets import modernised

Shape = tuple[int, ...]


def model(nodes: list[onnx.NodeProto], shapes: dict[str, Shape], opset: int) -> onnx.ModelProto:
    """The first output of the last node is that of the model, of unknown shape."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    outputs = [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "old", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=3)


@pytest.mark.parametrize("opset", [1, 5, 6])
@pytest.mark.parametrize(
    ("own", "attributes", "as_numpy"),
    [
        ((4,), {"broadcast": 1}, (4,)),
        ((3, 4), {"broadcast": 1}, (3, 4)),
        ((2,), {"broadcast": 1, "axis": 1}, (2, 1, 1)),
        ((2, 3), {"broadcast": 1, "axis": 1}, (2, 3, 1)),
        ((2, 3), {"broadcast": 1, "axis": -3}, (2, 3, 1)),
        ((2, 3, 4), {"broadcast": 1, "axis": 1}, (2, 3, 4)),
        ((1,), {"broadcast": 1, "axis": 0}, (1, 1, 1, 1)),
        ((1, 2, 3, 4), {}, (1, 2, 3, 4)),
    ],
)
@pytest.mark.parametrize("operator", ["Add", "Mul"])
def test_second_operands_along_an_axis(
    operator: str, own: Shape, attributes: dict[str, Any], as_numpy: Shape, opset: int
) -> None:
    """Twice, the second time behind an operator whose result has a shape that nobody wrote down."""
    nodes = [
        helper.make_node(operator, ["x", "w"], ["once"], **attributes),
        helper.make_node("Relu", ["once"], ["r"]),
        helper.make_node("Sub", ["r", "w"], ["y"], **attributes),
    ]
    feeds = {"x": example((1, 2, 3, 4)), "w": example(own)}
    imported = load_onnx(model(nodes, {name: a.shape for name, a in feeds.items()}, opset))
    w = feeds["w"].reshape(as_numpy)
    once = feeds["x"] + w if operator == "Add" else feeds["x"] * w
    (y,) = run_imported(imported, feeds)
    np.testing.assert_array_equal(y, np.maximum(once, 0) - w)


def test_operators_whose_attributes_changed() -> None:
    nodes = [
        helper.make_node("Upsample", ["x"], ["up"], height_scale=2.0, width_scale=2.0),
        helper.make_node("Reshape", ["up"], ["y"], shape=[2, 48]),
    ]
    x = example((1, 2, 3, 4))
    (y,) = run_imported(load_onnx(model(nodes, {"x": x.shape}, 1)), {"x": x})
    np.testing.assert_array_equal(y, x.repeat(2, axis=2).repeat(2, axis=3).reshape(2, 48))


def test_an_axis_of_an_unknown_rank_is_refused() -> None:
    nodes = [helper.make_node("Add", ["x", "w"], ["y"], broadcast=1, axis=1)]
    made = model(nodes, {"x": (1, 2, 3, 4), "w": (2,)}, 6)
    made.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(FrontendError, match=r"opset 6, .*node Add_0 \(Add\) has operands of unknown rank"):
        load_onnx(made)
    made = model([helper.make_node("Add", ["x", "w"], ["y"], broadcast=1, axis=3)], {"x": (2, 3), "w": (2, 3)}, 6)
    with pytest.raises(FrontendError, match="more dimensions than there are"):
        load_onnx(made)


def test_newer_models_are_left_as_they_are(tmp_path: Path) -> None:
    made = model([helper.make_node("Relu", ["x"], ["y"])], {"x": (2,)}, 7)
    assert modernised(made, "m.onnx") is made
