"""Transposed convolution, as a convolution of the operand with zeros put between its elements."""

from __future__ import annotations

import dataclasses

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.conv import depthwise_weights
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.compiler.frontend.window import (
    Geometry,
    crop,
    from_rows,
    require_float,
    spatial_rank,
    to_rows,
    two,
    window_of,
)
from tinyc.ir import Value
from tinyc.ir.ops import Conv2d, DepthwiseConv2d, Pad, Slice


@onnx_op("ConvTranspose")
def conv_transpose(ctx: Context, node: OnnxNode) -> Value:
    """Each element of the operand adds its multiple of the kernel to the result.

    The same sum, seen from the result: a convolution with flipped weights and stride 1.
    """
    x, w, b = node.operand(0), node.operand(1), node.optional(2)
    rank, groups, channels = spatial_rank(node, x), node.integer("group", 1), x.shape[1]
    require_float(node, x, w)
    if w.type.rank != x.type.rank or w.shape[0] != channels or groups < 1 or channels % groups:
        raise node.error(f"weights {w.type} do not fit the input {x.type} in {groups} group(s)")
    window = _transposed_window(node, x, w)
    rows = to_rows(ctx, x)
    if max(window.strides) > 1:
        between = (0, *(s - 1 for s in two(window.strides)), 0)
        rows = ctx.emit(Pad(rows, (0,) * 4, (0,) * 4, between))
    rows, pads = crop(ctx, rows, window), window.pads4()
    weights = _flipped(ctx, w, groups)
    if groups == channels > 1:
        kernel = depthwise_weights(ctx, ctx.transpose(weights, (0, 3, 1, 2)))
        y = ctx.emit(DepthwiseConv2d(rows, kernel, b, pads=pads, dilations=window.dilations2()))
    else:
        y = ctx.emit(Conv2d(rows, weights, b, pads=pads, dilations=window.dilations2(), groups=groups))
    return from_rows(ctx, y, rank)


def _transposed_window(node: OnnxNode, x: Value, w: Value) -> Geometry:
    """The window of the convolution over the widened operand. Its pads may be negative: these cut."""
    rank = x.type.rank - 2
    window = window_of(node, x, w.shape[2:])
    grown = node.integers("output_padding", (0,) * rank)
    auto = node.text("auto_pad", "NOTSET")
    if len(grown) != rank or min(grown) < 0:
        raise node.error(f"output_padding {list(grown)} does not fit {x.type}")
    before, after = window.before, window.after
    wanted = node.integers("output_shape", ())[-rank:]
    full = [(n - 1) * s + e + g for n, s, e, g in zip(x.shape[2:], window.strides, window.extents, grown, strict=True)]
    if not wanted and auto in ("SAME_UPPER", "SAME_LOWER"):  # a kernel below the stride never fills n * s
        wanted = tuple(min(n * s, f) for n, s, f in zip(x.shape[2:], window.strides, full, strict=True))
    if wanted:
        if len(wanted) != rank:
            raise node.error(f"output_shape {list(wanted)} does not fit {x.type}")
        total = [max(f - o, 0) for f, o in zip(full, wanted, strict=True)]
        grown = tuple(g + max(o - f, 0) for g, f, o in zip(grown, full, wanted, strict=True))
        small, large = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
        before, after = (small, large) if auto == "SAME_UPPER" else (large, small)
    return dataclasses.replace(
        window,
        before=tuple(e - 1 - p for e, p in zip(window.extents, before, strict=True)),
        after=tuple(e - 1 - p + g for e, p, g in zip(window.extents, after, grown, strict=True)),
    )


def _flipped(ctx: Context, w: Value, groups: int) -> Value:
    """[C, O/groups, K...] as [O, KH, KW, C/groups], with the kernel back to front."""
    channels, each, *kernel = w.shape
    rank = len(kernel)
    apart = ctx.reshape(w, (groups, channels // groups, each, *kernel))
    ordered = ctx.relayout(
        apart, (0, 2, *range(3, 3 + rank), 1), (groups * each, *two(tuple(kernel)), channels // groups)
    )
    _, height, width, _ = ordered.shape
    return ctx.emit(Slice(ordered, (0, height - 1, width - 1, 0), ordered.shape, (1, -1, -1, 1)))
