"""Windows over three spatial dimensions, made of windows over two and over one.

A pool of a box is the pool along its depth of the pools of its planes: so are maxima, means and sums of powers, padded
or not, since each plane of a window has as many elements. A convolution is, for each depth of its result, one over
planes: the planes that its window touches are channels beside each other.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

from onnx import AttributeProto, helper

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.window import Geometry, spatial_rank
from tinyc.ir import Value
from tinyc.ir.ops import Concat, Pad, Slice

Alone = Callable[[Context, OnnxNode], Value]
"""A handler that gives one value."""
ALONE = {"kernel_shape": 1, "strides": 1, "dilations": 1, "pads": 0}
"""What the attributes of a window have for a dimension along which it does nothing."""


def of_volumes(pool: Alone) -> Alone:
    """The handler of a pool, for volumes as well."""

    @functools.wraps(pool)
    def handler(ctx: Context, node: OnnxNode) -> Value:
        x = node.operand(0)
        if spatial_rank(node, x, 3) < 3:
            return pool(ctx, node)
        _, c, depth, height, width = x.shape
        planes = pool(ctx, _within(node, ctx.reshape(x, (1, c * depth, height, width)), (1, 2)))
        *_, height, width = planes.shape
        lines = pool(ctx, _within(node, ctx.reshape(planes, (1, c, depth, height * width)), (0, None)))
        return ctx.reshape(lines, (1, c, lines.shape[2], height, width))

    return handler


def by_planes(ctx: Context, node: OnnxNode, window: Geometry, convolution: Alone) -> Value:
    """A convolution over depth, height and width whose window is known, by the handler of one over two dimensions."""
    x, w = _padded(ctx, node.operand(0), window.before[0], window.after[0]), node.operand(1)
    _, c, depth, height, width = x.shape
    outputs, inner, taps, *kernel = w.shape
    flat = ctx.reshape(w, (outputs, inner * taps, *kernel))
    planes: list[Value] = []
    for start in range(0, depth - window.extents[0] + 1, window.strides[0]):
        touched = Slice(x, (0, 0, start, 0, 0), (1, c, taps, height, width), (1, 1, window.dilations[0], 1, 1))
        y = convolution(ctx, _within(node, ctx.reshape(ctx.emit(touched), (1, c * taps, height, width)), (1, 2), flat))
        planes.append(ctx.reshape(y, (1, outputs, 1, *y.shape[2:])))
    if not planes:
        raise node.error(f"its kernel is larger than the input {x.type}")
    return ctx.emit(Concat(tuple(planes), 2))


def _padded(ctx: Context, x: Value, before: int, after: int) -> Value:
    """More planes of zeros, or with negative numbers fewer planes."""
    first, left = max(-before, 0), x.shape[2] + min(before, 0) + min(after, 0)
    x = ctx.part(x, 2, first, left)
    if before <= 0 and after <= 0:
        return x
    return ctx.emit(Pad(x, (0, 0, max(before, 0), 0, 0), (0, 0, max(after, 0), 0, 0)))


def _within(node: OnnxNode, x: Value, dims: Sequence[int | None], *more: Value) -> OnnxNode:
    """The node for two of the spatial dimensions, None for one along which nothing is done, on other operands."""
    attributes: dict[str, AttributeProto] = dict(node.attributes)
    for name, alone in ALONE.items():
        if node.has(name):
            values = node.integers(name)
            sides = 2 if name == "pads" else 1
            if len(values) != 3 * sides:
                raise node.error(f"{name} has {len(values)} numbers, and there are 3 spatial dimensions")
            chosen = [alone if d is None else values[side * 3 + d] for side in range(sides) for d in dims]
            attributes[name] = helper.make_attribute(name, chosen)
    return dataclasses.replace(node, operands=(x, *more, *node.operands[1 + len(more) :]), attributes=attributes)
