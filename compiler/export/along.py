"""Export of the operators that go along one dimension."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from tinyc.compiler.export.graph import SPELLINGS, Graph
from tinyc.compiler.export.movement import indices_within
from tinyc.compiler.frontend.importer import TO_NCHW
from tinyc.ir import DType, Value
from tinyc.ir.ops import CumSum, TakeAlong, TopK
from tinyc.ir.ops.along import Along, ArgMost


def _places(graph: Graph, result: Value, op: Along) -> tuple[bool, int]:
    """Whether the operand lies channels first, and the dimension along which the operator goes there."""
    first = graph.lies_first(op.x)
    return first, TO_NCHW.index(op.axis) if first else op.axis


@SPELLINGS(ArgMost)
def arg_most(graph: Graph, result: Value, op: ArgMost) -> None:
    """ArgMax or ArgMin, whose int64 become int32."""
    first, axis = _places(graph, result, op)
    operator = "ArgMax" if op.largest else "ArgMin"
    held = graph.name(op.x, first)
    wide = graph.add(operator, [held], f"{result.name}_int64", axis=axis, keepdims=1, select_last_index=int(op.last))
    graph.define(result, graph.add("Cast", [wide], result.name, to=TensorProto.INT32), first)


@SPELLINGS(TopK)
def top_k(graph: Graph, result: Value, op: TopK) -> None:
    """The second result of TopK, whose int64 become int32."""
    first, axis = _places(graph, result, op)
    count = graph.initialiser(np.array([op.count], np.int64), "k")
    names = [f"{result.name}_values", f"{result.name}_int64"]
    inputs = [graph.name(op.x, first), count]
    _, wide = graph.add_several("TopK", inputs, names, axis=axis, largest=int(op.largest), sorted=1)
    graph.define(result, graph.add("Cast", [wide], result.name, to=TensorProto.INT32), first)


@SPELLINGS(TakeAlong)
def take_along(graph: Graph, result: Value, op: TakeAlong) -> None:
    """GatherElements. Indices beyond the elements are limited to them, as the operator says; ONNX's own would fail."""
    first, axis = _places(graph, result, op)
    indices = indices_within(graph, op.indices, op.x.shape[op.axis] - 1, f"{result.name}_indices", first)
    graph.define(result, graph.add("GatherElements", [graph.name(op.x, first), indices], result.name, axis=axis), first)


@SPELLINGS(CumSum)
def cum_sum(graph: Graph, result: Value, op: CumSum) -> None:
    """CumSum, in int32 where ONNX has none of the element type."""
    first, axis = _places(graph, result, op)
    narrow = op.x.dtype.bytes < DType.I32.bytes
    held = graph.name(op.x, first)
    held = graph.add("Cast", [held], f"{result.name}_wide", to=TensorProto.INT32) if narrow else held
    along = graph.initialiser(np.array(axis, np.int64), "axis")
    flags = {"exclusive": int(op.exclusive), "reverse": int(op.reverse)}
    sums = graph.add("CumSum", [held, along], result.name, **flags)
    kind = helper.np_dtype_to_tensor_dtype(op.x.dtype.numpy)
    graph.define(result, graph.add("Cast", [sums], result.name, to=kind) if narrow else sums, first)
