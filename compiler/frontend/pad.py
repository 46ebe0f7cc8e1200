"""Padding: with a constant it is an operator of the IR; by reflection or repetition it is a gather."""

from __future__ import annotations

import numpy as np

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.indexing import take
from tinyc.compiler.frontend.limits import check_elements
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.ir import Value
from tinyc.ir.ops import Pad, Slice

_NUMPY_MODES = {"edge": "edge", "reflect": "reflect", "wrap": "wrap"}


@onnx_op("Pad")
def pad(ctx: Context, node: OnnxNode) -> Value:
    """Surrounds with elements; a negative pad cuts elements off."""
    x = node.operand(0)
    rank = x.type.rank
    given = ctx.attribute_or_input(node, "pads", 1)
    if given is None:
        raise node.error("pads are missing")
    axes = ctx.integers(node, node.optional(3), "axes")
    named = tuple(range(rank)) if axes is None else tuple(node.axis(a, rank) for a in axes)
    if len(given) != 2 * len(named) or len(set(named)) != len(named):
        raise node.error(f"pads {list(given)} do not fit {x.type}")
    before, after = [0] * rank, [0] * rank
    for k, axis in enumerate(named):
        before[axis], after[axis] = given[k], given[len(named) + k]
    mode = node.choice("mode", ("constant", *_NUMPY_MODES), "constant")
    if mode != "constant":
        for axis in range(rank):
            if (before[axis], after[axis]) != (0, 0):
                x = _by_numbers(ctx, node, x, axis, before[axis], after[axis], mode)
        return x
    if min((*before, *after), default=0) < 0:
        x = _crop(ctx, node, x, before, after)
    grown = tuple(max(b, 0) for b in before), tuple(max(a, 0) for a in after)
    return ctx.emit(Pad(x, *grown, value=_value(ctx, node))) if any((*grown[0], *grown[1])) else x


def _value(ctx: Context, node: OnnxNode) -> float:
    fill = node.optional(2)
    if fill is None:
        return node.number("value", 0.0)
    return float(ctx.known(node, fill, "the value").reshape(-1)[0])


def _crop(ctx: Context, node: OnnxNode, x: Value, before: list[int], after: list[int]) -> Value:
    start = tuple(max(-b, 0) for b in before)
    size = tuple(n - s - max(-a, 0) for n, s, a in zip(x.shape, start, after, strict=True))
    if min(size, default=0) < 0:
        raise node.error(f"negative pads cut more than there is of {x.type}")
    return ctx.emit(Slice(x, start, size, (1,) * x.type.rank))


def _by_numbers(ctx: Context, node: OnnxNode, x: Value, axis: int, before: int, after: int, mode: str) -> Value:
    """Pads one axis by taking its own entries again."""
    count = x.shape[axis]
    if count == 0 or (count == 1 and mode == "reflect"):
        raise node.error(f"dimension {axis} of {x.type} has nothing to pad with by {mode}")
    check_elements((count + max(before, 0) + max(after, 0),), f"{node.where}: its result")
    numbers = np.pad(np.arange(count), (max(before, 0), max(after, 0)), mode=_NUMPY_MODES[mode])  # type: ignore[call-overload]
    return take(ctx, x, numbers[max(-before, 0) : numbers.size - max(-after, 0)], axis)
