"""Operators that take or put elements by several numbers each, and those that are made of it.

The dimensions that numbers go along become one: numbers are added up to the number of an entry in it, in int32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyc.compiler.frontend.along import from_front, narrowed, numbers
from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.indexing import take
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.ir import DType, Value
from tinyc.ir.loops import contiguous
from tinyc.ir.ops import (
    Add,
    Clamp,
    Equal,
    Gather,
    Less,
    Mul,
    Scatter,
    ScatterAdd,
    ScatterMax,
    ScatterMin,
    ScatterMul,
    Sub,
    Where,
)
from tinyc.ir.ops.scatter import Put

PUTS: dict[str, type[Put]] = {
    "none": Scatter,
    "add": ScatterAdd,
    "mul": ScatterMul,
    "max": ScatterMax,
    "min": ScatterMin,
}


@onnx_op("GatherND")
def gather_nd(ctx: Context, node: OnnxNode) -> Value:
    """Entries by a vector of numbers each, one for each of the leading dimensions behind those of batches."""
    x, indices = node.operand(0), node.operand(1)
    batches = node.integer("batch_dims", 0)
    depth = _depth(node, x, indices, batches)
    lead = indices.shape[:-1]
    if x.shape[:batches] != lead[:batches]:
        raise node.error(f"{x.type} and indices {indices.type} have not {batches} dimensions of batches in common")
    rest = x.shape[batches + depth :]
    flat = _numbered(ctx, node, indices, x.shape[batches : batches + depth])
    if batches:
        step = math.prod(x.shape[batches : batches + depth])
        first = np.arange(math.prod(lead[:batches])).reshape(*lead[:batches], *(1,) * (len(lead) - batches)) * step
        flat = ctx.emit(Add(flat, ctx.constant(first, "batches", np.int32)))
    rows = ctx.reshape(x, (math.prod(x.shape[: batches + depth]), *rest))
    known = ctx.data(flat)
    return ctx.emit(Gather(rows, flat, 0)) if known is None else take(ctx, rows, known, 0)


@onnx_op("ScatterND")
def scatter_nd(ctx: Context, node: OnnxNode) -> Value:
    """Entries put in the places of those that vectors of numbers name."""
    x, indices, updates = (node.operand(k) for k in range(3))
    depth = _depth(node, x, indices, 0)
    rest = x.shape[depth:]
    if updates.shape != (*indices.shape[:-1], *rest):
        raise node.error(f"updates {updates.type} do not fit indices {indices.type} and {x.type}")
    count, size = math.prod(indices.shape[:-1]), math.prod(rest)
    flat = ctx.reshape(_numbered(ctx, node, indices, x.shape[:depth]), (count,))
    return _put(ctx, node, x, flat, ctx.reshape(updates, (count, size)))


@onnx_op("ScatterElements", "Scatter")
def scatter_elements(ctx: Context, node: OnnxNode) -> Value:
    """Elements put in the places along a dimension that numbers name, one for each."""
    x, indices, updates = (node.operand(k) for k in range(3))
    axis = node.axis(node.integer("axis", 0), x.type.rank)
    fits = [k <= n or d == axis for d, (k, n) in enumerate(zip(indices.shape, x.shape, strict=False))]
    if not x.type.rank or indices.type.rank != x.type.rank or updates.shape != indices.shape or not all(fits):
        raise node.error(f"indices {indices.type} and updates {updates.type} do not fit {x.type} along {axis}")
    strides = contiguous(x.shape)
    others = np.zeros(indices.shape, np.int64)
    for d, size in enumerate(indices.shape):
        if d != axis:
            others += (np.arange(size) * strides[d]).reshape(-1, *(1,) * (x.type.rank - d - 1))
    along = _within(ctx, from_front(ctx, node, indices, x.shape[axis]), x.shape[axis])
    flat = ctx.emit(Add(times(ctx, along, strides[axis]), ctx.constant(others, "others", np.int32)))
    count = indices.type.size
    return _put(ctx, node, x, ctx.reshape(flat, (count,)), ctx.reshape(updates, (count, 1)))


def _put(ctx: Context, node: OnnxNode, x: Value, rows: Value, updates: Value) -> Value:
    """Rows of a matrix with the elements of x replaced, or computed with what is there."""
    if not updates.type.size:
        return x
    matrix = ctx.reshape(x, (x.type.size // updates.shape[1], updates.shape[1]))
    kind = PUTS[node.choice("reduction", tuple(PUTS), "none")]
    return ctx.reshape(ctx.emit(kind(matrix, rows, updates)), x.shape)


def _depth(node: OnnxNode, x: Value, indices: Value, batches: int) -> int:
    """How many numbers name an entry. Raises `FrontendError` where x has not so many dimensions."""
    depth = indices.shape[-1] if indices.shape else 0
    if not 0 <= batches < max(indices.type.rank, 1) or not 0 < depth <= x.type.rank - batches:
        raise node.error(f"indices {indices.type} name no entries of {x.type} with {batches} dimensions of batches")
    return depth


def _numbered(ctx: Context, node: OnnxNode, indices: Value, shape: Sequence[int]) -> Value:
    """The numbers of entries in dimensions that become one, given a number in each of these along the last dimension of
    the indices; each is limited to the entries there are."""
    last = indices.type.rank - 1
    total: Value | None = None
    for k, (size, stride) in enumerate(zip(shape, contiguous(shape), strict=True)):
        column = from_front(ctx, node, ctx.entry(indices, last, k), size)
        part = times(ctx, _within(ctx, column, size) if len(shape) > 1 else column, stride)
        total = part if total is None else ctx.emit(Add(total, part))
    assert total is not None
    return total


def _within(ctx: Context, numbers: Value, size: int) -> Value:
    return numbers if ctx.data(numbers) is not None else ctx.emit(Clamp(numbers, 0.0, float(max(size - 1, 0))))


def times(ctx: Context, numbers: Value, factor: int) -> Value:
    """Numbers times a constant."""
    return numbers if factor == 1 else ctx.emit(Mul(numbers, ctx.scalar(factor, numbers)))


@onnx_op("OneHot")
def one_hot(ctx: Context, node: OnnxNode) -> Value:
    """The second of two values where an entry's number is that of its place along a new dimension, else the first."""
    indices, values = node.operand(0), node.operand(2)
    depths = ctx.integers(node, ctx.cast(node.operand(1), DType.I64), "depth") or ()
    if len(depths) != 1 or depths[0] < 1 or values.shape != (2,):
        raise node.error(f"depth is one number, 1 or more, and values are two, not {list(depths)} and {values.type}")
    (depth,) = depths
    axis = node.axis(node.integer("axis", -1), indices.type.rank + 1)
    shape = indices.shape
    places = ctx.reshape(narrowed(ctx, indices, depth), (*shape[:axis], 1, *shape[axis:]))
    line = np.arange(depth).reshape(-1, *(1,) * (len(shape) - axis))
    found = ctx.emit(Equal(places, ctx.constant(line, "numbers", np.int32)))
    off, on = (ctx.entry(values, 0, k) for k in range(2))
    return ctx.emit(Where(found, on, off))


@onnx_op("Compress")
def compress(ctx: Context, node: OnnxNode) -> Value:
    """The entries of a dimension, or without one the elements, for which a constant condition holds."""
    x, condition = node.operand(0), ctx.known(node, node.operand(1), "condition")
    if node.has("axis"):
        axis = node.axis(node.integer("axis"), x.type.rank)
    else:
        x, axis = ctx.reshape(x, (x.type.size,)), 0
    if condition.ndim != 1 or condition.size > x.shape[axis]:
        raise node.error(f"condition of shape {list(condition.shape)} is not one for entries of {axis} of {x.type}")
    return take(ctx, x, np.flatnonzero(condition), axis)


@onnx_op("ReverseSequence")
def reverse_sequence(ctx: Context, node: OnnxNode) -> Value:
    """The first elements along time in the opposite order, of each batch as many as are said; the rest as it is."""
    x, lengths = node.operand(0), ctx.cast(node.operand(1), DType.I32)
    axes = node.axis(node.integer("batch_axis", 1), x.type.rank), node.axis(node.integer("time_axis", 0), x.type.rank)
    if sorted(axes) != [0, 1] or lengths.shape != (x.shape[axes[0]],):
        raise node.error(f"batch_axis and time_axis are 0 and 1, and lengths one for each batch, not {lengths.type}")
    batch, time = axes
    along, by = (numbers(ctx, ctx.constant(np.zeros(x.shape[:2], np.bool_)), d, lengths) for d in (time, batch))
    ends = ctx.reshape(lengths, (x.shape[0], 1)) if batch == 0 else lengths
    last = ctx.emit(Sub(ends, ctx.scalar(1, ends)))
    turned = ctx.emit(Where(ctx.emit(Less(along, ends)), ctx.emit(Sub(last, along)), along))
    strides = contiguous(x.shape[:2])
    flat = ctx.emit(Add(times(ctx, turned, strides[time]), times(ctx, by, strides[batch])))
    rows = ctx.reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))
    return ctx.reshape(ctx.emit(Gather(rows, flat, 0)), x.shape)
