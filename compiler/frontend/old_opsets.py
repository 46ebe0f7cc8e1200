"""Models of opsets from before numpy's broadcasting, as models of the first opset with it."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import helper, shape_inference, version_converter

from tinyc.compiler.frontend.errors import FrontendError
from tinyc.compiler.frontend.node import node_loc, normal_domain

OLDEST_OPSET = 7
"""The first opset with numpy broadcasting, and the first that is imported as it is."""


def declared_opset(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators that a model declares; 0 when it declares none."""
    return next((int(o.version) for o in model.opset_import if normal_domain(o.domain) == ""), 0)


def modernised(model: onnx.ModelProto, file: str) -> onnx.ModelProto:
    """A model of an opset before `OLDEST_OPSET` as one of that, by ONNX's own converter; others as they are.

    Raises `FrontendError` where an operator cannot be converted.
    """
    version = declared_opset(model)
    if not 0 < version < OLDEST_OPSET or all(normal_domain(node.domain) for node in model.graph.node):
        return model
    try:
        last = version_converter.convert_version(model, OLDEST_OPSET - 1) if version < OLDEST_OPSET - 1 else model
        return version_converter.convert_version(_aligned(last), OLDEST_OPSET)
    except Exception as error:  # whatever the C++ code of onnx raises
        why = " ".join(str(error).split()) or type(error).__name__
        raise FrontendError(
            f"{file} has opset {version}, which is older than the oldest that tinyc takes ({OLDEST_OPSET}) and cannot "
            f"be converted ({why}): export the model again"
        ) from None


def _aligned(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model, of opset 6, with dimensions of size 1 behind second operands that lie along an `axis` of the first,
    which is then the last axis but those: the converter puts another number of them there."""
    inferred = shape_inference.infer_shapes(model)
    ranks = _ranks(inferred.graph)
    nodes: list[onnx.NodeProto] = []
    for number, node in enumerate(inferred.graph.node):
        given = {a.name: a for a in node.attribute}
        if given.get("broadcast") is not None and given["broadcast"].i and "axis" in given:
            where = node_loc(node, number)
            if not {*node.input} <= ranks.keys():
                raise FrontendError(f"node {where} ({node.op_type}) has operands of unknown rank")
            first, second = (ranks[name] for name in node.input)
            behind = first - given["axis"].i % max(first, 1) - second
            if behind < 0:
                raise FrontendError(f"node {where} ({node.op_type}) has an operand of more dimensions than there are")
            node.attribute.remove(given["axis"])
            if behind:
                longer = f"{node.output[0]}_operand"
                axes = [*range(second, second + behind)]
                nodes.append(helper.make_node("Unsqueeze", [node.input[1]], [longer], f"{where}_operand", axes=axes))
                node.input[1] = longer
        nodes.append(node)
    del inferred.graph.node[:]
    inferred.graph.node.extend(nodes)
    return inferred


def _ranks(graph: onnx.GraphProto) -> Mapping[str, int]:
    """Of the tensors whose shapes are known, the numbers of dimensions."""
    ports = (*graph.input, *graph.value_info, *graph.output)
    known = {p.name: len(p.type.tensor_type.shape.dim) for p in ports if p.type.tensor_type.HasField("shape")}
    return known | {t.name: len(t.dims) for t in graph.initializer}
