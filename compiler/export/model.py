"""Export to ONNX: a QDQ module, or a float one, as a file that onnxruntime runs.

    module (NHWC tensor IR, float operators between dequantize and quantize)  ->  onnx.ModelProto (NCHW, QDQ)

The inputs and outputs are those of the model that was imported, so this one can be run in its place.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
from onnx import helper

from tinyc.compiler.base.files import write_file
from tinyc.compiler.base.version import VERSION
from tinyc.compiler.export import operators  # noqa: F401 (importing it registers the emitters)
from tinyc.compiler.export.graph import LATER_OPSET, OPSET, SPELLINGS, ExportError, Graph
from tinyc.compiler.frontend import Port
from tinyc.compiler.frontend.importer import TO_NHWC, TO_NLC
from tinyc.ir import DType, IRError, Module, Node, Value
from tinyc.ir.ops import Quantize

__all__ = ["ExportError", "to_onnx_qdq", "with_tensors", "write_onnx"]

IR_VERSION = 9
"""The file format that came with ONNX's opset 19."""
LATER_IR_VERSION = 10
"""The one that came with `LATER_OPSET`."""


def to_onnx_qdq(module: Module, inputs: Sequence[Port], outputs: Sequence[Port]) -> onnx.ModelProto:
    """The module as an ONNX model.

    Args:
        module: the tensor level, before its quantize and dequantize have become integer operators.
        inputs: what the model's inputs are called and how they lie, in the module's order.
        outputs: the same for outputs.

    Raises:
        ExportError: the module has an operator that ONNX has no equivalent for.
    """
    return with_tensors(module, inputs, outputs)[0]


def with_tensors(
    module: Module, inputs: Sequence[Port], outputs: Sequence[Port]
) -> tuple[onnx.ModelProto, Mapping[Value, tuple[str, bool]]]:
    """`to_onnx_qdq`, and where each value of the module is in the model: the tensor's name, and whether it lies
    channels first there."""
    graph = Graph(module, {p.name for p in (*inputs, *outputs)})
    for port, value in zip(inputs, module.inputs, strict=True):
        if port.perm == TO_NLC:
            graph.define(value, graph.add("Transpose", [port.name], f"{port.name}_nlc", perm=TO_NLC))
        else:
            graph.define(value, port.name, first=_is_first(port))
    for node in module.nodes:
        _emit(graph, node)
    for port, value in zip(outputs, module.outputs, strict=True):
        graph.finish(value, port.name, first=_is_first(port))
    return _model(module, graph, inputs, outputs), graph.tensors()


def _is_first(port: Port) -> bool:
    """Whether the ONNX model has the tensor channels first where the module has it channels last."""
    if port.perm is None:
        return False
    if tuple(port.perm) != TO_NHWC:
        raise ExportError(
            f'"{port.name}" lies in the module permuted by {list(port.perm)}, which is neither NHWC nor NLC'
        )
    return True


def _emit(graph: Graph, node: Node) -> None:
    """Adds what computes a node. Raises `ExportError` where its operator cannot be said in ONNX."""
    try:
        emit = SPELLINGS.of(node.op)
        emit(graph, node.result, node.op)
    except IRError as error:
        raise ExportError(f"{node.where}: {error.message}") from None


def _model(module: Module, graph: Graph, inputs: Sequence[Port], outputs: Sequence[Port]) -> onnx.ModelProto:
    def declared(ports: Sequence[Port], values: Sequence[Value]) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(p.name, helper.np_dtype_to_tensor_dtype(v.dtype.numpy), p.onnx_shape)
            for p, v in zip(ports, values, strict=True)
        ]

    wide = any(quantize.op.to is DType.I16 for quantize in module.made_by(Quantize))
    later = wide or graph.opset == LATER_OPSET
    made = helper.make_graph(
        graph.nodes,
        module.name,
        declared(inputs, module.inputs),
        declared(outputs, module.outputs),
        graph.initialisers,
    )
    return helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", LATER_OPSET if later else OPSET)],
        ir_version=LATER_IR_VERSION if later else IR_VERSION,
        producer_name="tinyc",
        producer_version=VERSION,
    )


def write_onnx(model: onnx.ModelProto, path: str | os.PathLike[str]) -> Path:
    """Writes a model: the whole file or, when that fails, none and nothing changed.

    Raises:
        ExportError: the model is too large for a file.
        OutputError: the file cannot be written; the message says why.
    """
    try:
        data = model.SerializeToString()
    except ValueError:  # protobuf's limit of 2 GB
        raise ExportError(f"{path}: the model is too large for one ONNX file (2 GB)") from None
    write_file(path, data)
    return Path(path)
