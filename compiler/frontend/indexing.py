"""Operators that take parts: gather, slice, split, and masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.ir import Value
from tinyc.ir.ops import Add, Gather, Less, Slice, Where
from tinyc.ir.tensor import Array


@onnx_op("Gather")
def gather(ctx: Context, node: OnnxNode) -> Value:
    """Entries of a dimension by number; a negative number counts from the end. Evenly spaced constants make a slice."""
    x, indices = node.operand(0), node.operand(1)
    axis = node.axis(node.integer("axis", 0), x.type.rank)
    count = x.shape[axis]
    known = ctx.data(indices)
    if known is None:
        return ctx.emit(Gather(x, counted(ctx, indices, count), axis))
    if known.size and not (-count <= known.min() and known.max() < count):
        raise node.error(f"indices {known.min()} to {known.max()} leave dimension {axis} of {x.type}")
    return take(ctx, x, np.where(known < 0, known + count, known), axis)


@onnx_op("Slice")
def slice_(ctx: Context, node: OnnxNode) -> Value:
    """A range of each axis; limits are attributes (before opset 10) or inputs."""
    x = node.operand(0)
    starts = ctx.attribute_or_input(node, "starts", 1)
    ends = ctx.attribute_or_input(node, "ends", 2)
    if starts is None or ends is None:
        raise node.error("starts or ends are missing")
    named = ctx.attribute_or_input(node, "axes", 3)
    axes = tuple(range(len(starts))) if named is None else named
    steps = ctx.integers(node, node.optional(4), "steps") or (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        stated = f"starts {list(starts)}, ends {list(ends)}, axes {list(axes)} and steps {list(steps)}"
        raise node.error(f"{stated} do not fit {x.type}")
    node.axes(axes, x.type.rank)
    start, size, step = [0] * x.type.rank, list(x.shape), [1] * x.type.rank
    for axis, first, last, by in zip(axes, starts, ends, steps, strict=True):
        taken = range(*slice(first, last, by).indices(x.shape[axis]))
        start[axis], size[axis], step[axis] = (taken.start if taken else 0), len(taken), by
    if size == list(x.shape) and all(t == 1 for t in step):
        return x
    return ctx.emit(Slice(x, tuple(start), tuple(size), tuple(step)))


@onnx_op("Split")
def split(ctx: Context, node: OnnxNode) -> Sequence[Value]:
    """Consecutive parts of an axis: of stated sizes, or equal (the last may be smaller)."""
    x = node.operand(0)
    axis = node.axis(node.integer("axis", 0), x.type.rank)
    sizes = ctx.attribute_or_input(node, "split", 1)
    if sizes is None:
        count = node.integer("num_outputs", len(node.proto.output))
        if count != len(node.proto.output):
            raise node.error(f"num_outputs = {count} does not fit its {len(node.proto.output)} outputs")
        each = -(-x.shape[axis] // count)
        sizes = tuple(max(0, min(each, x.shape[axis] - k * each)) for k in range(count))
    if sum(sizes) != x.shape[axis] or min(sizes) < 0:
        raise node.error(f"parts of {list(sizes)} do not add up to dimension {axis} of {x.type}")
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    return [ctx.part(x, axis, start, size) for start, size in zip(starts, sizes, strict=True)]


@onnx_op("Trilu")
def triangle(ctx: Context, node: OnnxNode) -> Value:
    """The upper or lower triangle of the last two dimensions, zeros elsewhere."""
    x, offset = node.operand(0), node.optional(1)
    k = 0 if offset is None else int(ctx.known(node, offset, "k").reshape(()))
    if x.type.rank < 2:
        raise node.error(f"takes matrices, not {x.type}")
    ones = np.ones(x.shape[-2:], np.bool_)
    mask = np.triu(ones, k) if node.integer("upper", 1) else np.tril(ones, k)
    return ctx.emit(Where(ctx.constant(mask, "triangle"), x, ctx.scalar(0, x)))


def counted(ctx: Context, indices: Value, count: int) -> Value:
    """Computed numbers of `count` entries, of which negative ones count from the end; those that name none go on to do
    so."""
    below = ctx.emit(Less(indices, ctx.scalar(0, indices)))
    return ctx.emit(Where(below, ctx.emit(Add(indices, ctx.scalar(count, indices))), indices))


def take(ctx: Context, x: Value, indices: Array, axis: int) -> Value:
    """Entries by known numbers within range: a slice where they are evenly spaced, else a gather."""
    flat = indices.reshape(-1).astype(np.int64)
    steps = set(np.diff(flat).tolist())
    if flat.size and len(steps) <= 1 and steps != {0}:
        step = steps.pop() if steps else 1
        start = tuple(int(flat[0]) if d == axis else 0 for d in range(x.type.rank))
        size = tuple(flat.size if d == axis else n for d, n in enumerate(x.shape))
        by = tuple(step if d == axis else 1 for d in range(x.type.rank))
        whole = size == x.shape and step == 1
        part = x if whole else ctx.emit(Slice(x, start, size, by))
        return ctx.reshape(part, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))
    return ctx.emit(Gather(x, ctx.constant(indices, "indices", np.int32), axis))
