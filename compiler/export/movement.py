"""Export of the operators that move data. Transposes between the two layouts of an image cancel here."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from tinyc.compiler.export.graph import SPELLINGS, Graph
from tinyc.compiler.frontend.importer import TO_NCHW
from tinyc.ir import DType, Value
from tinyc.ir.ops import Broadcast, Concat, Gather, Pad, Reshape, Slice, Transpose
from tinyc.ir.ops.scatter import Put
from tinyc.ir.ops.take_rows import TakeRows

_FAR = np.iinfo(np.int64).min
"""As the end of a slice that goes backwards: before the first entry."""


@SPELLINGS(Reshape)
def reshape(graph: Graph, result: Value, op: Reshape) -> None:
    """Reshape."""
    graph.define(result, graph.reshaped(graph.flat(op.x), op.shape, result.name))


@SPELLINGS(Transpose)
def transpose(graph: Graph, result: Value, op: Transpose) -> None:
    """Transpose, or nothing where the operand lies, or the result may lie, in the order that is asked for."""
    first = graph.lies_first(op.x)
    perm = tuple(TO_NCHW.index(p) for p in op.perm) if first else op.perm
    same = tuple(range(len(perm)))
    held = graph.name(op.x, first)
    if perm == same:
        graph.define(result, held)
    elif len(perm) == 4 and tuple(perm[k] for k in TO_NCHW) == same:
        graph.define(result, held, first=True)
    else:
        graph.define(result, graph.add("Transpose", [held], result.name, perm=perm))


@SPELLINGS(Broadcast)
def broadcast(graph: Graph, result: Value, op: Broadcast) -> None:
    """Expand."""
    shape = graph.initialiser(np.asarray(op.shape, np.int64), "shape")
    graph.define(result, graph.add("Expand", [graph.name(op.x), shape], result.name))


@SPELLINGS(Slice)
def slice_(graph: Graph, result: Value, op: Slice) -> None:
    """Slice."""
    first = graph.lies_first(op.x)
    order = TO_NCHW if first else tuple(range(op.x.type.rank))
    ends = [s + n * t if s + n * t >= 0 else _FAR for s, n, t in zip(op.start, op.size, op.step, strict=True)]
    vectors = {
        "starts": [op.start[d] for d in order],
        "ends": [ends[d] for d in order],
        "axes": range(len(order)),
        "steps": [op.step[d] for d in order],
    }
    names = [graph.initialiser(np.asarray(v, np.int64), word) for word, v in vectors.items()]
    graph.define(result, graph.add("Slice", [graph.name(op.x, first), *names], result.name), first)


@SPELLINGS(Concat)
def concat(graph: Graph, result: Value, op: Concat) -> None:
    """Concat."""
    first = graph.lies_first(*op.xs)
    axis = TO_NCHW.index(op.axis) if first else op.axis
    graph.define(result, graph.add("Concat", [graph.name(x, first) for x in op.xs], result.name, axis=axis), first)


@SPELLINGS(Pad)
def pad(graph: Graph, result: Value, op: Pad) -> None:
    """Pad. What goes between neighbours is put behind each, in a dimension of its own, and cut after the last one."""
    first = graph.lies_first(op.x)
    order = TO_NCHW if first else tuple(range(op.x.type.rank))
    name, shape = graph.name(op.x, first), [op.x.shape[d] for d in order]
    value = graph.initialiser(np.asarray(op.value, op.x.dtype.numpy), "pad_value")
    gaps = [op.between[d] for d in order] if op.between else [0] * len(shape)
    for d, gap in enumerate(gaps):
        if gap and shape[d] > 1:
            apart = graph.reshaped(name, [*shape[: d + 1], 1, *shape[d + 1 :]], result.name)
            name = _padded(
                graph, apart, [0] * (len(shape) + 1), [gap * (k == d + 1) for k in range(len(shape) + 1)], value
            )
            shape[d] *= gap + 1
            name = graph.reshaped(name, shape, result.name)
            ends, axes = (graph.initialiser(np.asarray([v], np.int64), w) for v, w in ((-gap, "ends"), (d, "axes")))
            name = graph.add(
                "Slice", [name, graph.initialiser(np.zeros(1, np.int64), "starts"), ends, axes], result.name
            )
            shape[d] -= gap
    before, after = [op.before[d] for d in order], [op.after[d] for d in order]
    if any((*before, *after)) or not any(gaps):
        name = _padded(graph, name, before, after, value)
    graph.define(result, name, first)


def _padded(graph: Graph, name: str, before: list[int], after: list[int], value: str) -> str:
    pads = graph.initialiser(np.asarray([*before, *after], np.int64), "pads")
    return graph.add("Pad", [name, pads, value], f"{name}_padded")


@SPELLINGS(TakeRows)
def take_rows(graph: Graph, result: Value, op: TakeRows) -> None:
    """Gather of the rows that it takes, by number."""
    numbers = graph.initialiser(op.numbers(), f"{result.name}_rows")
    graph.define(result, graph.add("Gather", [graph.name(op.x), numbers], result.name, axis=1))


@SPELLINGS(Gather)
def gather(graph: Graph, result: Value, op: Gather) -> None:
    """Gather. Indices beyond the entries are limited to them, as the operator says; ONNX's own would fail."""
    indices = indices_within(graph, op.indices, op.x.shape[op.axis] - 1, f"{result.name}_indices")
    graph.define(result, graph.add("Gather", [graph.name(op.x), indices], result.name, axis=op.axis))


@SPELLINGS(Put)
def put(graph: Graph, result: Value, op: Put) -> None:
    """ScatterND, of a number for each row. ONNX leaves open which of two updates for a row stays."""
    indices = indices_within(graph, op.indices, op.x.shape[0] - 1, f"{result.name}_indices")
    vectors = graph.reshaped(indices, (op.updates.shape[0], 1), f"{result.name}_indices")
    names = [graph.name(op.x), vectors, graph.name(op.updates)]
    graph.define(result, graph.add("ScatterND", names, result.name, reduction=op.function or None))


def indices_within(graph: Graph, indices: Value, last: int, hint: str, first: bool = False) -> str:
    """Indices in int64, limited to 0..last."""
    known = graph.module.constant(indices)
    if known is not None and not first:
        return graph.initialiser(np.clip(known.astype(np.int64), 0, last), indices.name)
    wide = graph.add("Cast", [graph.name(indices, first)], hint, to=TensorProto.INT64)
    return graph.limited(wide, DType.I64, 0, last, hint)
