"""Pooling: windows over 1 or 2 spatial dimensions, and over all of them."""

from __future__ import annotations

import dataclasses
import math

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.compiler.frontend.window import Geometry, from_rows, spatial_rank, to_rows, two, window_of
from tinyc.ir import Value
from tinyc.ir.ops import Abs, AvgPool2d, MaxPool2d, Mul, Pad, Pow, ReduceMax, ReduceMean, Sqrt


@onnx_op("MaxPool")
def max_pool(ctx: Context, node: OnnxNode) -> Value:
    """The largest element of each window."""
    x, window = _pool(node)
    y = MaxPool2d(to_rows(ctx, x), two(window.kernel), window.strides2(), window.pads4(), window.dilations2())
    return from_rows(ctx, ctx.emit(y), len(window.kernel))


@onnx_op("AveragePool")
def average_pool(ctx: Context, node: OnnxNode) -> Value:
    """The mean of each window."""
    x, window = _pool(node)
    return _average(ctx, node, x, window, bool(node.integer("count_include_pad", 0)))


@onnx_op("LpPool")
def lp_pool(ctx: Context, node: OnnxNode) -> Value:
    """The p-norm of each window: a root of the mean of powers, times the number of elements."""
    x, window = _pool(node)
    p = node.integer("p", 2)
    raised = _power(ctx, ctx.emit(Abs(x)), p)
    mean = _average(ctx, node, raised, window, True)
    total = ctx.emit(Mul(mean, ctx.scalar(math.prod(window.kernel), mean)))
    return ctx.emit(Sqrt(total)) if p == 2 else total if p == 1 else ctx.emit(Pow(total, ctx.scalar(1.0 / p, total)))


@onnx_op("GlobalAveragePool")
def global_average_pool(ctx: Context, node: OnnxNode) -> Value:
    """The mean over all spatial dimensions."""
    x = node.operand(0)
    return ctx.emit(ReduceMean(x, tuple(range(2, x.type.rank))))


@onnx_op("GlobalMaxPool")
def global_max_pool(ctx: Context, node: OnnxNode) -> Value:
    """The largest element over all spatial dimensions."""
    x = node.operand(0)
    return ctx.emit(ReduceMax(x, tuple(range(2, x.type.rank))))


def _pool(node: OnnxNode) -> tuple[Value, Geometry]:
    """The operand and the window, with the pads that ceil_mode adds at the end (see `_average`)."""
    x = node.operand(0)
    spatial_rank(node, x)
    window = window_of(node, x, node.integers("kernel_shape"))
    if not node.integer("ceil_mode", 0):
        return x, window
    after = []
    for d, size in enumerate(x.shape[2:]):
        room = size + window.before[d] + window.after[d] - window.extents[d]
        count = -(-room // window.strides[d]) + 1
        if (count - 1) * window.strides[d] >= size + window.before[d]:
            count -= 1  # a window that starts in the pads at the end is dropped
        after.append((count - 1) * window.strides[d] + window.extents[d] - size - window.before[d])
    return x, dataclasses.replace(window, after=tuple(max(a, 0) for a in after))


def _average(ctx: Context, node: OnnxNode, x: Value, window: Geometry, count_pads: bool) -> Value:
    """An average pool. Pads that the model states may count as zeros; what ceil_mode adds beyond them never does, so
    where there is both, the stated pads are laid around the operand first."""
    rows = to_rows(ctx, x)
    stated = window_of(node, x, window.kernel).after
    if count_pads and any(a > s for a, s in zip(window.after, stated, strict=True)):
        extra = tuple(max(a - s, 0) for a, s in zip(window.after, stated, strict=True))
        rows = ctx.emit(Pad(rows, (0, *two(window.before, 0), 0), (0, *two(stated, 0), 0)))
        window = dataclasses.replace(window, before=(0,) * len(extra), after=extra)
        count_pads = False
    y = AvgPool2d(rows, two(window.kernel), window.strides2(), window.pads4(), window.dilations2(), count_pads)
    return from_rows(ctx, ctx.emit(y), len(window.kernel))


def _power(ctx: Context, x: Value, p: int) -> Value:
    if p == 1:
        return x
    return ctx.emit(Mul(x, x)) if p == 2 else ctx.emit(Pow(x, ctx.scalar(p, x)))
