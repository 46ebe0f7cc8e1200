"""Fusing activations: limits become part of the operator that computes what they limit."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from tinyc.ir.module import Module, Node
from tinyc.ir.op import Value
from tinyc.ir.ops import Clamp, Dense, Maximum, MaxPool2d, Minimum, Pad
from tinyc.ir.ops.conv import Convolution
from tinyc.passes.core.base import Pass
from tinyc.passes.core.facts import intersect, uniform
from tinyc.passes.core.rewrite import Replaced, Rewriter, Skip, rewrite


@dataclass(frozen=True)
class FuseActivation(Pass, name="fuse-activation"):
    """Moves clamps (ReLU, ReLU6, hard limits) into the convolutions and dense layers they follow.

    Rounding is monotone, so limiting before rounding (inside the operator) and after (the clamp) agree: bit for bit.
    """

    def run(self, module: Module) -> Module:
        return rewrite(module, [limit_to_clamp, clamp_into_producer, clamp_before_max_pool, clamp_before_pad])


def limit_to_clamp(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Replace maximum or minimum with one constant number by clamp."""
    op = node.op
    if not isinstance(op, (Maximum, Minimum)):
        return None
    x, limit = op.x, uniform(rewriter.constant(op.y))
    if limit is None:
        x, limit = op.y, uniform(rewriter.constant(op.x))
        if limit is not None and op.type.dtype.is_float:
            return Skip("a constant first operand wins over NaN, a clamp lets NaN through")
    if limit is None:
        return None
    if x.type != op.type:
        return Skip("the constant enlarges the result")
    return Replaced(Clamp(x, min=limit) if isinstance(op, Maximum) else Clamp(x, max=limit))


def clamp_into_producer(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Fuse a clamp into the convolution or dense layer before it."""
    if not isinstance(node.op, Clamp):
        return None
    before = rewriter.producer(node.op.x)
    if before is None or not isinstance(before.op, (Convolution, Dense)):
        return None
    if rewriter.uses(node.op.x) > 1:
        return Skip(f"{before.result} is also used without the limits")
    low, high = intersect(before.op.min, before.op.max, node.op.min, node.op.max)
    return Replaced(dataclasses.replace(before.op, min=low, max=high), (before,))


def clamp_before_max_pool(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Move a clamp from behind a max pooling to the convolution before the pooling.

    The largest of limited elements is the largest element, limited: clamping is monotone.
    """
    if not isinstance(node.op, Clamp):
        return None
    pool = rewriter.absorbable(node.op.x, MaxPool2d)
    if pool is None or not _fuses(pool[1].x, rewriter):
        return None
    limited = rewriter.add(dataclasses.replace(node.op, x=pool[1].x))
    return Replaced(dataclasses.replace(pool[1], x=limited), (pool[0],))


def clamp_before_pad(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Move a clamp from behind a pad to the convolution before the pad, and limit the pad's value."""
    if not isinstance(node.op, Clamp):
        return None
    pad = rewriter.absorbable(node.op.x, Pad)
    if pad is None or not _fuses(pad[1].x, rewriter):
        return None
    limited = rewriter.add(dataclasses.replace(node.op, x=pad[1].x))
    value = min(max(pad[1].value, node.op.min), node.op.max)
    return Replaced(dataclasses.replace(pad[1], x=limited, value=value), (pad[0],))


def _fuses(value: Value, rewriter: Rewriter) -> bool:
    """Whether a clamp of this value ends up in the operator that computes it."""
    node = rewriter.producer(value)
    if node is None or rewriter.uses(value) != 1:
        return False
    if isinstance(node.op, (MaxPool2d, Pad)):
        return _fuses(node.op.x, rewriter)
    return isinstance(node.op, (Convolution, Dense))
