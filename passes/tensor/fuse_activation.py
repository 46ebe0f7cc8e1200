"""Fusing activations: limits become part of the operator that computes what they limit."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from tinyc.ir.module import Made, Module, Node
from tinyc.ir.op import Value
from tinyc.ir.ops import Clamp
from tinyc.ir.ops.elementwise import Choice
from tinyc.ir.ops.layer import LinearLayer
from tinyc.passes.core.base import Pass
from tinyc.passes.core.facts import intersect, uniform
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on, rewrite


@dataclass(frozen=True)
class FuseActivation(Pass, name="fuse-activation"):
    """Moves clamps (ReLU, ReLU6, hard limits) into the convolutions and dense layers they follow.

    Rounding is monotone, so limiting before rounding (inside the operator) and after (the clamp) agree: bit for bit.
    """

    def run(self, module: Module) -> Module:
        return rewrite(module, [choice_to_clamp, clamp_into_layer, clamp_before_moves])


@on(Choice)
def choice_to_clamp(at: Made[Choice], rewriter: Rewriter) -> Answer:
    """Replace maximum or minimum with one constant number by clamp."""
    op = at.op
    x, limit = op.x, uniform(rewriter.constant(op.y))
    if limit is None:
        x, limit = op.y, uniform(rewriter.constant(op.x))
        if limit is not None and op.type.dtype.is_float:
            return Skip("a constant first operand wins over NaN, a clamp lets NaN through")
    if limit is None:
        return None
    return Replaced(op.clamp(x, limit)) if x.type == op.type else Skip("the constant enlarges the result")


@on(Clamp)
def clamp_into_layer(at: Made[Clamp], rewriter: Rewriter) -> Answer:
    """Fuse a clamp into the convolution or dense layer before it."""
    before = rewriter.made(at.op.x, LinearLayer)
    if before is None:
        return None
    if rewriter.uses(at.op.x) > 1:
        return Skip(f"{before.result} is also used without the limits")
    limits = intersect(before.op.min, before.op.max, at.op.min, at.op.max)
    return Replaced(before.op.limited(*limits), (before.node,))


@on(Clamp)
def clamp_before_moves(at: Made[Clamp], rewriter: Rewriter) -> Answer:
    """Move a clamp from behind what moves or chooses elements to the layer before that.

    The largest of limited elements is the largest element, limited: clamping is monotone. So is what a pad puts around.
    """
    before = _passing(at.op.x, rewriter)
    if before is None or not _fuses(before[1], rewriter):
        return None
    node, value = before
    limited = rewriter.add(dataclasses.replace(at.op, x=value))
    moved, fill = node.op.replace_operands({value: limited}), node.op.fill()
    if fill is not None:
        moved = moved.filled(min(max(fill, at.op.min), at.op.max))
    return Replaced(moved, (node,))


def _passing(value: Value, rewriter: Rewriter) -> tuple[Node, Value] | None:
    """The node that makes a value of the elements of one other value, and that one; nothing else needs the result."""
    node = rewriter.producer(value) if rewriter.uses(value) == 1 else None
    passed = node.op.passes_on() if node is not None else ()
    return (node, passed[0]) if node is not None and len(passed) == 1 else None


def _fuses(value: Value, rewriter: Rewriter) -> bool:
    """Whether a clamp of this value ends up in the layer that computes it."""
    if rewriter.absorbable(value, LinearLayer) is not None:
        return True
    before = _passing(value, rewriter)
    return before is not None and _fuses(before[1], rewriter)
