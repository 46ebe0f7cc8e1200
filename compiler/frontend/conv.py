"""Convolution."""

from __future__ import annotations

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.compiler.frontend.volumes import by_planes
from tinyc.compiler.frontend.window import (
    crop,
    from_rows,
    from_the_first,
    require_float,
    spatial_rank,
    to_rows,
    two,
    window_of,
)
from tinyc.ir import Value
from tinyc.ir.ops import Conv2d, DepthwiseConv2d


@onnx_op("Conv")
def conv(ctx: Context, node: OnnxNode) -> Value:
    """A convolution over 1 to 3 spatial dimensions; depthwise where each group has one input channel."""
    x, w, b = node.operand(0), node.operand(1), node.optional(2)
    rank = spatial_rank(node, x, 3)
    require_float(node, x, w)
    if w.type.rank != x.type.rank:
        raise node.error(f"weights {w.type} do not fit the input {x.type}")
    dilated = max(node.integers("dilations", (1,)), default=1) > 1  # onnxruntime refuses these: ONNX's text holds
    window = window_of(node, x, w.shape[2:], from_the_first if dilated else _begin)
    if node.has("kernel_shape") and node.integers("kernel_shape") != window.kernel:
        raise node.error(f"kernel_shape {list(node.integers('kernel_shape'))} is not that of the weights {w.type}")
    groups, channels = node.integer("group", 1), x.shape[1]
    if groups < 1 or w.shape[1] * groups != channels or w.shape[0] % groups:
        raise node.error(f"weights {w.type} do not fit the input {x.type} in {groups} group(s)")
    if rank == 3:
        return by_planes(ctx, node, window, conv)
    rows = crop(ctx, to_rows(ctx, x), window)
    strides, pads, dilations = window.strides2(), window.pads4(), window.dilations2()
    if groups == channels > 1:
        y = ctx.emit(DepthwiseConv2d(rows, depthwise_weights(ctx, w), b, strides, pads, dilations))
    else:
        y = ctx.emit(Conv2d(rows, dense_weights(ctx, w), b, strides, pads, dilations, groups=groups))
    return from_rows(ctx, y, rank)


def _begin(surplus: int, lower: bool) -> int:
    """onnxruntime's convolutions, of floats and of integers."""
    return max(surplus - 2 if lower else surplus - 1, 0) // 2


def dense_weights(ctx: Context, w: Value) -> Value:
    """[O,I,KH,KW] or [O,I,K] as [O,KH,KW,I]."""
    out, inner, *kernel = w.shape
    return ctx.relayout(w, (0, *range(2, w.type.rank), 1), (out, *two(tuple(kernel)), inner))


def depthwise_weights(ctx: Context, w: Value) -> Value:
    """[O,1,KH,KW] or [O,1,K] as [KH,KW,O]."""
    out, _, *kernel = w.shape
    return ctx.relayout(w, (*range(2, w.type.rank), 1, 0), (*two(tuple(kernel)), out))
