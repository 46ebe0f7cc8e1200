"""How operators of no file of their own are said in ONNX: elementwise ones, quantisation, and what ONNX has as well.

Importing this module registers the emitters of all operators (`SPELLINGS`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper

# Importing a module of emitters registers them.
from tinyc.compiler.export import along, layers, movement, recurrent  # noqa: F401
from tinyc.compiler.export.graph import OPSET, SPELLINGS, Graph
from tinyc.compiler.frontend.functions import schema_of
from tinyc.compiler.frontend.importer import TO_NCHW
from tinyc.ir import IRError, Op, Value, ops
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.ops.qinterpolate import OfLines
from tinyc.ir.ops.quantise import Dequantize, Quantize

SPELLINGS.refuse(
    "has no equivalent in ONNX: export the module before it is made of integer operators",
    IntegerLayer,
    OfLines,
    ops.Lookup,
    ops.QAdd,
    ops.QAvgPool2d,
    ops.QCumSum,
    ops.QDiv,
    ops.QMatMul,
    ops.QMean,
    ops.QMul,
    ops.QNorm,
    ops.QPRelu,
    ops.QRecurrent,
    ops.QSoftmax,
    ops.QSum,
    ops.Requantise,
)


@SPELLINGS(Op)
def same(graph: Graph, result: Value, op: Op) -> None:
    """The operator that ONNX has as well, on operands as the module has them."""
    graph.define(result, graph.add(_operator(op), [graph.name(v) for v in op.operands], result.name))


@SPELLINGS(ops.Elementwise)
def same_elementwise(graph: Graph, result: Value, op: Op) -> None:
    """The operator that ONNX has as well."""
    elementwise(graph, result, op, _operator(op))


def _operator(op: Op) -> str:
    if not op.onnx:
        raise IRError(SPELLINGS.missing(type(op)))
    if schema_of(op.onnx, OPSET) is None:
        raise IRError(f"{type(op).__name__} declares to be ONNX's {op.onnx}, which opset {OPSET} does not have")
    return op.onnx


def elementwise(graph: Graph, result: Value, op: Op, operator: str, **attributes: Any) -> None:
    """A node of the same operands, in the layout they lie in."""
    rank = result.type.rank
    first = rank == 4 and graph.lies_first(*op.operands) and all(_follows(graph, v, rank) for v in op.operands)
    names = [_broadcast_name(graph, v, rank) if first else graph.name(v) for v in op.operands]
    graph.define(result, graph.add(operator, names, result.name, **attributes), first)


def _follows(graph: Graph, value: Value, rank: int) -> bool:
    """Whether a value can be had channels first next to others of `rank` that are."""
    return value.type.rank in (0, rank) or graph.module.constant(value) is not None


def _broadcast_name(graph: Graph, value: Value, rank: int) -> str:
    """A value channels first; a constant of fewer dimensions gets the leading ones it stands for."""
    if value.type.rank in (0, rank):
        return graph.name(value, first=value.type.rank == rank)
    array = graph.module.constant(value)
    assert array is not None  # see `_follows`
    wide = array.reshape((1,) * (rank - array.ndim) + array.shape)
    return graph.initialiser(wide.transpose(TO_NCHW), value.name)


@SPELLINGS(ops.Constant)
def constant(graph: Graph, result: Value, op: ops.Constant) -> None:
    """Nothing yet: a constant is made where it is used, in the layout it is used in."""


@SPELLINGS(ops.LeakyRelu)
def leaky_relu(graph: Graph, result: Value, op: ops.LeakyRelu) -> None:
    """LeakyRelu."""
    elementwise(graph, result, op, "LeakyRelu", alpha=op.alpha)


@SPELLINGS(ops.Cast)
def cast(graph: Graph, result: Value, op: ops.Cast) -> None:
    """Cast."""
    elementwise(graph, result, op, "Cast", to=helper.np_dtype_to_tensor_dtype(op.to.numpy))


@SPELLINGS(ops.Clamp)
def clamp(graph: Graph, result: Value, op: ops.Clamp) -> None:
    """Relu or Clip."""
    first = graph.lies_first(op.x)
    graph.define(result, graph.limited(graph.name(op.x, first), op.x.dtype, op.min, op.max, result.name), first)


@SPELLINGS(Quantize)
def quantize(graph: Graph, result: Value, op: Quantize) -> None:
    """QuantizeLinear."""
    first = graph.lies_first(op.x)
    scale = graph.initialiser(np.asarray(op.scale, np.float32), f"{result.name}_scale")
    zero = graph.initialiser(np.asarray(op.zero, op.to.numpy), f"{result.name}_zero_point")
    graph.define(result, graph.add("QuantizeLinear", [graph.name(op.x, first), scale, zero], result.name), first)


@SPELLINGS(Dequantize)
def dequantize(graph: Graph, result: Value, op: Dequantize) -> None:
    """DequantizeLinear. That of a constant is made where it is used, as the constant is."""
    if graph.module.constant(op.x) is not None:
        return
    first = graph.lies_first(op.x)
    axis = TO_NCHW.index(op.axis) if first else op.axis
    graph.define(
        result, graph.dequantised(graph.name(op.x, first), op.x.dtype, op.scale, op.zero, axis, result.name), first
    )
