"""Simplification: operators that do nothing, or that do together what one can do alone.

Every rule is exact: results agree bit for bit.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Module, Node
from tinyc.ir.op import Value
from tinyc.ir.ops import (
    Add,
    Broadcast,
    Cast,
    Clamp,
    Concat,
    Dequantize,
    Div,
    Elementwise,
    Gather,
    Mul,
    Pad,
    Reduce,
    Reshape,
    Slice,
    Sub,
    Transpose,
    Where,
)
from tinyc.ir.ops.elementwise import Unary
from tinyc.passes.core.base import Pass
from tinyc.passes.core.facts import intersect, stored, uniform
from tinyc.passes.core.rewrite import Replaced, Rewriter, Skip, rewrite


@dataclass(frozen=True)
class Simplify(Pass, name="simplify"):
    """Removes operators that do nothing and merges neighbours into one."""

    def run(self, module: Module) -> Module:
        return rewrite(
            module,
            [
                drop_identity,
                drop_neutral_operand,
                merge_reshapes,
                merge_transposes,
                transpose_to_reshape,
                broadcast_to_reshape,
                sink_reshape,
                drop_broadcast,
                merge_pads,
                merge_slices,
                slice_of_concat,
                gather_to_slice,
                merge_clamps,
                merge_casts,
                divide_by_power_of_two,
                constant_condition,
            ],
        )


def drop_identity(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Drop an operator that returns its operand as it is."""
    op = node.op
    if len(op.operands) != 1 or op.operands[0].type != op.type:
        return None
    no_change = (
        isinstance(op, (Reshape, Broadcast, Cast, Concat, Reduce))  # of the operand's own type
        or (isinstance(op, Transpose) and op.is_view())
        or isinstance(op, Pad)
        or (isinstance(op, Slice) and all(t == 1 or n == 1 for t, n in zip(op.step, op.size, strict=True)))
        or (isinstance(op, Clamp) and (op.min, op.max) == (-np.inf, np.inf))
    )
    return Replaced(op.operands[0]) if no_change else None


def drop_neutral_operand(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Drop a multiplication or division by one, and an addition or subtraction of zero."""
    op = node.op
    if not isinstance(op, (Mul, Div, Add, Sub)):
        return None
    sides = [(op.x, op.y)] if isinstance(op, (Div, Sub)) else [(op.x, op.y), (op.y, op.x)]
    for x, other in sides:
        array = rewriter.constant(other)
        number = uniform(array)
        if array is None or x.type != op.type or number != (1.0 if isinstance(op, (Mul, Div)) else 0.0):
            continue
        # -0.0 + 0.0 is 0.0, so for floats the neutral element of addition is -0.0, that of subtraction 0.0.
        if op.type.dtype.is_float and number == 0.0 and (np.signbit(array) == isinstance(op, Sub)).any():
            return Skip("it turns -0.0 into 0.0")
        return Replaced(x)
    return None


def merge_reshapes(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Merge a reshape of a reshape."""
    before = rewriter.producer(node.op.x) if isinstance(node.op, Reshape) else None
    if before is None or not isinstance(before.op, Reshape):
        return None
    return Replaced(Reshape(before.op.x, node.result.shape), (before,))


def merge_transposes(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Merge a transpose of a transpose."""
    op = node.op
    before = rewriter.producer(op.x) if isinstance(op, Transpose) else None
    if before is None or not isinstance(op, Transpose) or not isinstance(before.op, Transpose):
        return None
    return Replaced(Transpose(before.op.x, tuple(before.op.perm[p] for p in op.perm)), (before,))


def transpose_to_reshape(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Replace a transpose that moves dimensions of size 1 only by a reshape."""
    if isinstance(node.op, Transpose) and node.op.is_view():
        return Replaced(Reshape(node.op.x, node.result.shape))
    return None


def broadcast_to_reshape(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Replace a broadcast that repeats nothing by a reshape."""
    if isinstance(node.op, Broadcast) and node.op.is_view():
        return Replaced(Reshape(node.op.x, node.result.shape))
    return None


def sink_reshape(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Move a reshape behind an operator of one operand, to let that meet the operator before."""
    if not isinstance(node.op, Unary) or isinstance(node.op, Dequantize):  # a reshape of the smaller int8 stays
        return None
    reshape = rewriter.absorbable(node.op.x, Reshape)
    if reshape is None:
        return None
    moved = rewriter.add(node.op.with_operands([reshape[1].x]))
    return Replaced(Reshape(moved, node.result.shape), (reshape[0],))


def drop_broadcast(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Let an elementwise operator broadcast by itself."""
    if not isinstance(node.op, Elementwise):
        return None
    for value in node.op.operands:
        source = rewriter.producer(value)
        if source is not None and isinstance(source.op, Broadcast):
            operands = [source.op.x if v == value else v for v in node.op.operands]
            if np.broadcast_shapes(*(v.shape for v in operands)) == node.result.shape:
                return Replaced(node.op.with_operands(operands), (source,))
    return None


def merge_pads(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Merge a pad of a pad with the same value."""
    op = node.op
    before = rewriter.producer(op.x) if isinstance(op, Pad) else None
    if before is None or not isinstance(op, Pad) or not isinstance(before.op, Pad):
        return None
    inner = before.op
    if any((*op.between, *inner.between)):
        return Skip("there are gaps between the elements")
    values = [np.asarray(stored(v, op.type.dtype)).tobytes() for v in (op.value, inner.value)]
    if values[0] != values[1]:
        return Skip(f"one pads with {op.value}, the other with {inner.value}")
    starts = tuple(a + b for a, b in zip(op.before, inner.before, strict=True))
    ends = tuple(a + b for a, b in zip(op.after, inner.after, strict=True))
    return Replaced(Pad(inner.x, starts, ends, (), op.value), (before,))


def merge_slices(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Merge a slice of a slice."""
    op = node.op
    before = rewriter.producer(op.x) if isinstance(op, Slice) else None
    if before is None or not isinstance(op, Slice) or not isinstance(before.op, Slice):
        return None
    inner = before.op
    start = tuple(s + a * t for a, s, t in zip(op.start, inner.start, inner.step, strict=True))
    step = tuple(a * b for a, b in zip(op.step, inner.step, strict=True))
    return Replaced(Slice(inner.x, start, op.size, step), (before,))


def slice_of_concat(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Slice the one operand of a concat that all of the slice comes from."""
    op = node.op
    before = rewriter.producer(op.x) if isinstance(op, Slice) else None
    if before is None or not isinstance(op, Slice) or not isinstance(before.op, Concat) or not op.type.size:
        return None
    axis, at = before.op.axis, 0
    ends = op.start[axis], op.start[axis] + (op.size[axis] - 1) * op.step[axis]
    for x in before.op.xs:
        if at <= min(ends) and max(ends) < at + x.shape[axis]:
            start = tuple(s - at if d == axis else s for d, s in enumerate(op.start))
            return Replaced(dataclasses.replace(op, x=x, start=start), (before,))
        at += x.shape[axis]
    return None


def gather_to_slice(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Replace a gather of constant, evenly spaced entries by a slice."""
    op = node.op
    indices = rewriter.constant(op.indices) if isinstance(op, Gather) else None
    if indices is None or not isinstance(op, Gather) or indices.size == 0:
        return None
    taken = np.clip(indices.reshape(-1).astype(np.int64), 0, op.x.shape[op.axis] - 1)
    steps = np.diff(taken)
    step = int(steps[0]) if steps.size else 1
    if step == 0 or (steps != step).any():
        return Skip("the entries are not evenly spaced")

    def along(number: int, others: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(number if d == op.axis else n for d, n in enumerate(others))

    rank = op.x.type.rank
    cut = Slice(op.x, along(int(taken[0]), (0,) * rank), along(taken.size, op.x.shape), along(step, (1,) * rank))
    return Replaced(cut if cut.type == op.type else Reshape(rewriter.add(cut), node.result.shape))


def merge_clamps(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Merge a clamp of a clamp."""
    before = rewriter.producer(node.op.x) if isinstance(node.op, Clamp) else None
    if before is None or not isinstance(node.op, Clamp) or not isinstance(before.op, Clamp):
        return None
    low, high = intersect(before.op.min, before.op.max, node.op.min, node.op.max)
    return Replaced(Clamp(before.op.x, low, high), (before,))


def merge_casts(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Merge a cast of a cast whose type holds every number of the operand's."""
    before = rewriter.producer(node.op.x) if isinstance(node.op, Cast) else None
    if before is None or not isinstance(node.op, Cast) or not isinstance(before.op, Cast):
        return None
    source, middle, to = before.op.x.dtype, before.op.to, node.op.to
    if not np.can_cast(source.numpy, middle.numpy, "safe"):
        return None
    # To an integer type that is too narrow, integers wrap around and floats are limited.
    if middle.is_float and to.is_integer and not np.can_cast(source.numpy, to.numpy, "safe"):
        return None
    return Replaced(Cast(before.op.x, to), (before,))


def divide_by_power_of_two(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Replace a division by powers of two by a multiplication: both round the same real number, once."""
    op = node.op
    divisor = rewriter.constant(op.y) if isinstance(op, Div) and op.type.dtype.is_float else None
    if divisor is None or not isinstance(op, Div) or divisor.size == 0:
        return None
    with np.errstate(all="ignore"):
        inverse = (1.0 / divisor.astype(np.float64)).astype(np.float32)
    powers = (np.abs(np.frexp(divisor)[0]) == 0.5) & np.isfinite(inverse) & (inverse != 0)
    return Replaced(Mul(op.x, rewriter.constant_value(inverse, op.y.name))) if powers.all() else None


def constant_condition(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Drop a choice that is always the same."""
    op = node.op
    condition = rewriter.constant(op.condition) if isinstance(op, Where) else None
    if condition is None or not isinstance(op, Where) or not (condition.all() or not condition.any()):
        return None
    chosen: Value = op.x if condition.all() else op.y
    return Replaced(chosen) if chosen.type == op.type else None
