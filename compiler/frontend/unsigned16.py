"""uint16 becomes int16: u - 32768 with the zero point z - 32768 stands for the same real value.

The model is rewritten as a whole, so that what is imported is what the reference runs. Quantised models have uint16
between QuantizeLinear and DequantizeLinear alone, and whatever moves or chooses numbers in between.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from tinyc.compiler.frontend.errors import FrontendError
from tinyc.compiler.frontend.node import node_loc
from tinyc.compiler.frontend.order import branches

OFFSET = 2**15
_MOVES = frozenset(
    (
        *("Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Reshape", "Slice"),
        *("SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"),
    )
)
"""Operators whose results are numbers of their operands, whatever these stand for."""
_CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")
_ATTRIBUTE = "output_dtype"


def shift_unsigned(model: onnx.ModelProto) -> None:
    """Makes int16 of all uint16 in a model without local functions, in place.

    Raises:
        FrontendError: an input or output of the model is uint16, or something computes with it.
    """
    graph = model.graph
    for side, infos in (("input", graph.input), ("output", graph.output)):
        for info in infos:
            if info.type.tensor_type.elem_type == TensorProto.UINT16:
                raise _at_interface(side, info.name)
    unsigned = set(_shifted_constants(graph))
    for index, node in enumerate(list(graph.node)):
        where = f"node {node_loc(node, index)} ({node.op_type})"
        if any(_uses(branch) for branch in branches(node)):
            raise FrontendError(f"{where}: uint16 in a branch is not supported")
        _shift_node(graph, node, where, unsigned)
    for info in graph.output:
        if info.name in unsigned:
            raise _at_interface("output", info.name)
    for info in graph.value_info:
        if info.type.tensor_type.elem_type == TensorProto.UINT16:
            info.type.tensor_type.elem_type = TensorProto.INT16


def _at_interface(side: str, name: str) -> FrontendError:
    return FrontendError(
        f'{side} "{name}" is uint16, which an interface cannot be: let the model take and give float32, int8 or int16'
    )


def _uses(graph: onnx.GraphProto) -> bool:
    """Whether a branch has uint16 of its own."""
    return any(t.data_type == TensorProto.UINT16 for t in graph.initializer) or any(
        attribute.name == _ATTRIBUTE and attribute.i == TensorProto.UINT16
        for n in graph.node
        for attribute in n.attribute
    )


def _shifted_constants(graph: onnx.GraphProto) -> Iterator[str]:
    """Shifts constants; their names."""
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.UINT16:
            yield tensor.name
            _shift(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value" and attribute.t.data_type == TensorProto.UINT16:
                yield node.output[0]
                _shift(attribute.t)


def _shift(tensor: TensorProto) -> None:
    """Writes a tensor's numbers less 32768, as int16."""
    array = (numpy_helper.to_array(tensor).astype(np.int32) - OFFSET).astype(np.int16)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _shift_node(graph: onnx.GraphProto, node: onnx.NodeProto, where: str, unsigned: set[str]) -> None:
    """Notes which results of a node are integers that were shifted, and gives it zero points of 0 if it had none."""
    asked = next((a for a in node.attribute if a.name == _ATTRIBUTE and a.i == TensorProto.UINT16), None)
    taken = [name for name in node.input if name in unsigned]
    if asked is None and not taken:
        return
    if node.op_type in _CONVERSIONS:
        if asked is not None:
            node.attribute.remove(asked)
        if len(node.input) < 3 or not node.input[2]:
            del node.input[2:]
            node.input.append(_zero(graph, _shape(graph, node.input[1])))
        if node.op_type == "QuantizeLinear":
            unsigned.add(node.output[0])
    elif node.op_type in _MOVES:
        unsigned.update(node.output)
    else:
        raise FrontendError(
            f"{where}: takes uint16, which is supported between QuantizeLinear and DequantizeLinear alone"
        )


def _shape(graph: onnx.GraphProto, scale: str) -> tuple[int, ...]:
    """The shape of a scale, of one number where that is not constant."""
    made = [a.t for n in graph.node if scale in n.output for a in n.attribute if a.name == "value"]
    found = [*made, *(t for t in graph.initializer if t.name == scale)]
    return tuple(found[0].dims) if found else ()


def _zero(graph: onnx.GraphProto, shape: tuple[int, ...]) -> str:
    """The int16 that stand for zero points of 0, in the shape of the scales."""
    name = "_".join(("tinyc_zero_of_uint16", *map(str, shape)))
    if all(t.name != name for t in graph.initializer):
        graph.initializer.append(numpy_helper.from_array(np.full(shape, -OFFSET, np.int16), name))
    return name
