"""Pooling: windows over 1 to 3 spatial dimensions, and over all of them."""

from __future__ import annotations

import dataclasses
import math

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.compiler.frontend.volumes import of_volumes
from tinyc.compiler.frontend.window import (
    Geometry,
    Surplus,
    crop,
    from_rows,
    from_the_first,
    spatial_rank,
    to_rows,
    two,
    window_of,
)
from tinyc.ir import Value
from tinyc.ir.ops import Abs, AvgPool2d, MaxPool2d, Mul, Pad, Pow, ReduceMax, ReduceMean, Sqrt


@onnx_op("MaxPool")
@of_volumes
def max_pool(ctx: Context, node: OnnxNode) -> Value:
    """The largest element of each window."""
    x = node.operand(0)
    dilated = max(node.integers("dilations", (1,)), default=1) > 1
    window = _ceiled(node, x, _stated(node, x, _begin if dilated else from_the_first))
    y = MaxPool2d(_rows(ctx, x, window), two(window.kernel), window.strides2(), window.pads4(), window.dilations2())
    return from_rows(ctx, ctx.emit(y), len(window.kernel))


@onnx_op("AveragePool")
@of_volumes
def average_pool(ctx: Context, node: OnnxNode) -> Value:
    """The mean of each window. Pads that the model states may count as zeros; what ceil_mode adds beyond them never
    does, so where there is both, the stated pads are laid around the operand first."""
    x = node.operand(0)
    stated = _stated(node, x, _begin if node.opset >= 19 else from_the_first)
    window = _ceiled(node, x, stated)
    rows = _rows(ctx, x, dataclasses.replace(stated, before=window.before))
    left = tuple(max(b, 0) for b in window.before)
    count_pads = bool(node.integer("count_include_pad", 0))
    laid = tuple(max(s, 0) for s in stated.after)
    # Beyond what SAME padding cuts off, there is nothing: a window that ceil_mode adds does not see it.
    after = tuple(a - min(s, 0) if a > s else max(a, 0) for a, s in zip(window.after, stated.after, strict=True))
    if count_pads and any(a > n for a, n in zip(after, laid, strict=True)):
        rows = ctx.emit(Pad(rows, (0, *two(left, 0), 0), (0, *two(laid, 0), 0)))
        left, after = (0,) * len(laid), tuple(max(a - n, 0) for a, n in zip(after, laid, strict=True))
        count_pads = False
    window = dataclasses.replace(window, before=left, after=after)
    y = AvgPool2d(rows, two(window.kernel), window.strides2(), window.pads4(), window.dilations2(), count_pads)
    return from_rows(ctx, ctx.emit(y), len(window.kernel))


@onnx_op("LpPool")
@of_volumes
def lp_pool(ctx: Context, node: OnnxNode) -> Value:
    """The p-norm of each window: a root of the mean of powers, times the number of elements."""
    x = node.operand(0)
    window = _ceiled(node, x, _stated(node, x, _begin))
    p = node.integer("p", 2)
    rows = _rows(ctx, _power(ctx, ctx.emit(Abs(x)), p), window)
    pool = AvgPool2d(rows, two(window.kernel), window.strides2(), window.pads4(), window.dilations2(), count_pads=True)
    mean = from_rows(ctx, ctx.emit(pool), len(window.kernel))
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


def _begin(surplus: int, lower: bool) -> int:
    """onnxruntime's pools that take windows which leave some over: dilated ones, AveragePool from opset 19, LpPool."""
    return (surplus - 1 if lower else surplus) // 2


def _stated(node: OnnxNode, x: Value, begin: Surplus) -> Geometry:
    """The window as the attributes have it, without ceil_mode."""
    spatial_rank(node, x)
    return window_of(node, x, node.integers("kernel_shape"), begin, dilated=False)


def _ceiled(node: OnnxNode, x: Value, window: Geometry) -> Geometry:
    """The window with the pads at the end that ceil_mode asks for."""
    if not node.integer("ceil_mode", 0):
        return window
    after = []
    for d, size in enumerate(x.shape[2:]):
        room = size + window.before[d] + window.after[d] - window.extents[d]
        count = -(-room // window.strides[d]) + 1
        if (count - 1) * window.strides[d] >= size + window.before[d]:
            count -= 1  # a window that starts in the pads at the end is dropped
        after.append((count - 1) * window.strides[d] + window.extents[d] - size - window.before[d])
    return dataclasses.replace(window, after=tuple(max(a, 0) for a in after))


def _rows(ctx: Context, x: Value, window: Geometry) -> Value:
    return crop(ctx, to_rows(ctx, x), window)


def _power(ctx: Context, x: Value, p: int) -> Value:
    if p == 1:
        return x
    return ctx.emit(Mul(x, x)) if p == 2 else ctx.emit(Pow(x, ctx.scalar(p, x)))
