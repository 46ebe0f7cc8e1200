"""Operators that go along one dimension: the largest elements and their places, running sums, elements by number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.indexing import counted
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import Handler, onnx_op
from tinyc.ir import DType, Op, Value
from tinyc.ir.ops import ArgMax, ArgMin, CumSum, Equal, Gather, TakeAlong, TopK


def _arg_most(op: Callable[[Value, int, bool], Op]) -> Handler:
    def run(ctx: Context, node: OnnxNode) -> Value:
        x = node.operand(0)
        axis = node.axis(node.integer("axis", 0), x.type.rank)
        if not x.type.rank:
            raise node.error(f"takes a tensor with dimensions, not {x.type}")
        found = ctx.emit(op(x, axis, bool(node.integer("select_last_index", 0))))
        if not node.integer("keepdims", 1):
            found = ctx.reshape(found, (*x.shape[:axis], *x.shape[axis + 1 :]))
        return ctx.cast(found, DType.I64)

    return run


onnx_op("ArgMax")(_arg_most(ArgMax))
onnx_op("ArgMin")(_arg_most(ArgMin))


@onnx_op("TopK")
def top_k(ctx: Context, node: OnnxNode) -> Sequence[Value]:
    """The largest or smallest elements of a dimension, in order whether they need be or not, and their places."""
    x = node.operand(0)
    axis = node.axis(node.integer("axis", -1), x.type.rank)
    count = ctx.attribute_or_input(node, "k", 1) if not node.has("k") else (node.integer("k"),)
    if count is None or len(count) != 1 or not x.type.rank or not 0 <= count[0] <= x.shape[axis]:
        raise node.error(f"k = {list(count or ())} is not a number of elements of dimension {axis} of {x.type}")
    if not count[0]:
        none = (*x.shape[:axis], 0, *x.shape[axis + 1 :])
        return [ctx.constant(np.zeros(none, kind)) for kind in (x.dtype.numpy, np.int64)]
    places = ctx.emit(TopK(x, axis, count[0], bool(node.integer("largest", 1))))
    return [ctx.emit(TakeAlong(x, places, axis)), ctx.cast(places, DType.I64)]


@onnx_op("Hardmax")
def hardmax(ctx: Context, node: OnnxNode) -> Value:
    """1 at the first of the largest elements along the axis, else 0; up to opset 12 along all dimensions from it on."""
    x = node.operand(0)
    axis = node.axis(node.integer("axis", -1 if node.opset >= 13 else 1), x.type.rank)
    joined = x if node.opset >= 13 else ctx.reshape(x, (*x.shape[:axis], math.prod(x.shape[axis:])))
    most = ctx.emit(ArgMax(joined, axis))
    found = ctx.cast(ctx.emit(Equal(numbers(ctx, joined, axis, most), most)), x.dtype)
    return ctx.reshape(found, x.shape)


def numbers(ctx: Context, x: Value, axis: int, like: Value) -> Value:
    """0, 1, 2 ... along a dimension of x, to broadcast with it; of the element type of `like`."""
    count = np.arange(x.shape[axis], dtype=like.dtype.numpy)
    return ctx.constant(count.reshape(-1, *(1,) * (x.type.rank - axis - 1)), "numbers")


@onnx_op("CumSum")
def cum_sum(ctx: Context, node: OnnxNode) -> Value:
    """Running sums along an axis that is a constant."""
    x = node.operand(0)
    named = ctx.integers(node, node.operand(1), "axis") or ()
    if len(named) != 1 or not x.type.rank:
        raise node.error(f"axis {list(named)} is not a dimension of {x.type}")
    axis = node.axis(named[0], x.type.rank)
    return ctx.emit(CumSum(x, axis, bool(node.integer("exclusive", 0)), bool(node.integer("reverse", 0))))


@onnx_op("GatherElements")
def gather_elements(ctx: Context, node: OnnxNode) -> Value:
    """Elements along a dimension, each by a number of its own. Indices may be fewer than elements elsewhere."""
    x, indices = node.operand(0), node.operand(1)
    axis = node.axis(node.integer("axis", 0), x.type.rank)
    fits = [k <= n or d == axis for d, (k, n) in enumerate(zip(indices.shape, x.shape, strict=False))]
    if not x.type.rank or indices.type.rank != x.type.rank or not all(fits):
        raise node.error(f"indices {indices.type} do not fit {x.type} along dimension {axis}")
    count = x.shape[axis]
    for d, size in enumerate(indices.shape):
        x = x if d == axis else ctx.part(x, d, 0, size)
    return along(ctx, x, from_front(ctx, node, indices, count), axis)


def along(ctx: Context, x: Value, indices: Value, axis: int) -> Value:
    """Elements along a dimension. By constants that are the same in all other dimensions they are whole entries."""
    known = ctx.data(indices)
    if known is not None and known.size:
        line = known[tuple(slice(None) if d == axis else slice(0, 1) for d in range(known.ndim))]
        if (known == line).all():
            return ctx.emit(Gather(x, ctx.constant(line.reshape(-1), "indices", np.int32), axis))
    return ctx.emit(TakeAlong(x, indices, axis))


def from_front(ctx: Context, node: OnnxNode, indices: Value, count: int) -> Value:
    """Indices of `count` entries, in int32, without those that count from the end.

    Raises:
        FrontendError: constants that are no indices of so many.
    """
    known = ctx.data(indices)
    if known is not None:
        if known.size and not (-count <= known.min() and known.max() < count):
            raise node.error(f"indices {known.min()} to {known.max()} leave a dimension of {count}")
        return ctx.constant(np.where(known < 0, known + count, known), "indices", np.int32)
    return narrowed(ctx, indices, count)


def narrowed(ctx: Context, indices: Value, count: int) -> Value:
    """Computed indices of `count` entries in int32, without those that count from the end."""
    narrow = ctx.cast(indices, DType.I32)
    return narrow if ctx.least(indices) >= 0 else counted(ctx, narrow, count)
