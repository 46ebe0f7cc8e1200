"""How each operator of the IR is said in ONNX: a table from operator classes to functions that add nodes.

An emitter defines its result in the layout it gets it in: channels first from spatial operators and from what works
element by element on such values, as the module has it from all others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import helper

from tinyc.compiler.export.graph import Graph
from tinyc.compiler.export.layers import batch_norm, convolution, dense, pool, reduce, softmax
from tinyc.compiler.export.movement import broadcast, concat, gather, pad, reshape, slice_, transpose
from tinyc.compiler.frontend.importer import TO_NCHW
from tinyc.ir import Op, Value, ops
from tinyc.ir.ops.quantise import Dequantize, Quantize

Emitter = Callable[[Graph, Value, Any], None]


def _elementwise(graph: Graph, result: Value, op: Op, operator: str, **attributes: Any) -> None:
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


def _plain(operator: str) -> Emitter:
    """An emitter for an operator that ONNX has as well."""

    def emit(graph: Graph, result: Value, op: Op) -> None:
        _elementwise(graph, result, op, operator)

    return emit


def _leaky_relu(graph: Graph, result: Value, op: ops.LeakyRelu) -> None:
    _elementwise(graph, result, op, "LeakyRelu", alpha=op.alpha)


def _cast(graph: Graph, result: Value, op: ops.Cast) -> None:
    _elementwise(graph, result, op, "Cast", to=helper.np_dtype_to_tensor_dtype(op.to.numpy))


def _clamp(graph: Graph, result: Value, op: ops.Clamp) -> None:
    first = graph.lies_first(op.x)
    graph.define(result, graph.limited(graph.name(op.x, first), op.x.dtype, op.min, op.max, result.name), first)


def _quantize(graph: Graph, result: Value, op: Quantize) -> None:
    first = graph.lies_first(op.x)
    scale = graph.initialiser(np.asarray(op.scale, np.float32), f"{result.name}_scale")
    zero = graph.initialiser(np.asarray(op.zero, op.to.numpy), f"{result.name}_zero_point")
    graph.define(result, graph.add("QuantizeLinear", [graph.name(op.x, first), scale, zero], result.name), first)


def _dequantize(graph: Graph, result: Value, op: Dequantize) -> None:
    first = graph.lies_first(op.x)
    axis = TO_NCHW.index(op.axis) if first else op.axis
    graph.define(
        result, graph.dequantised(graph.name(op.x, first), op.x.dtype, op.scale, op.zero, axis, result.name), first
    )


def _matmul(graph: Graph, result: Value, op: ops.MatMul) -> None:
    graph.define(result, graph.add("MatMul", [graph.name(op.x), graph.name(op.y)], result.name))


_SAME = {
    ops.Abs: "Abs",
    ops.Add: "Add",
    ops.And: "And",
    ops.Ceil: "Ceil",
    ops.Copy: "Identity",
    ops.Div: "Div",
    ops.Equal: "Equal",
    ops.Erf: "Erf",
    ops.Exp: "Exp",
    ops.Floor: "Floor",
    ops.Less: "Less",
    ops.Log: "Log",
    ops.Maximum: "Max",
    ops.Minimum: "Min",
    ops.Mul: "Mul",
    ops.Neg: "Neg",
    ops.Not: "Not",
    ops.Or: "Or",
    ops.Pow: "Pow",
    ops.Round: "Round",
    ops.Sigmoid: "Sigmoid",
    ops.Sqrt: "Sqrt",
    ops.Sub: "Sub",
    ops.Tanh: "Tanh",
    ops.Where: "Where",
}

EMITTERS: dict[type[Op], Emitter] = {
    **{kind: _plain(operator) for kind, operator in _SAME.items()},
    ops.AvgPool2d: pool,
    ops.BatchNorm: batch_norm,
    ops.Broadcast: broadcast,
    ops.Cast: _cast,
    ops.Clamp: _clamp,
    ops.Concat: concat,
    ops.Conv2d: convolution,
    ops.Dense: dense,
    ops.DepthwiseConv2d: convolution,
    ops.Gather: gather,
    ops.LeakyRelu: _leaky_relu,
    ops.MatMul: _matmul,
    ops.MaxPool2d: pool,
    ops.Pad: pad,
    ops.ReduceMax: reduce,
    ops.ReduceMean: reduce,
    ops.ReduceMin: reduce,
    ops.ReduceProd: reduce,
    ops.ReduceSum: reduce,
    ops.Reshape: reshape,
    ops.Slice: slice_,
    ops.Softmax: softmax,
    ops.Transpose: transpose,
    Dequantize: _dequantize,
    Quantize: _quantize,
}
