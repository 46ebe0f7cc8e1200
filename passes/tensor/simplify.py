"""Simplification: operators that do nothing, or that do together what one can do alone.

Every rule is exact: results agree bit for bit.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Made, Module, Node
from tinyc.ir.op import Value
from tinyc.ir.ops import (
    Add,
    Broadcast,
    Cast,
    Clamp,
    Concat,
    Div,
    Elementwise,
    Gather,
    Mul,
    Pad,
    Reshape,
    Slice,
    Sub,
    Transpose,
    Where,
)
from tinyc.ir.ops.elementwise import Binary, Unary
from tinyc.passes.core.base import Pass
from tinyc.passes.core.facts import intersect, uniform
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on, rewrite


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
                add_the_negative,
                constant_condition,
            ],
        )


def drop_identity(node: Node, rewriter: Rewriter) -> Answer:
    """Drop an operator that returns its operand as it is."""
    return Replaced(node.op.operands[0]) if node.op.is_identity() else None


@on(Binary)
def drop_neutral_operand(at: Made[Binary], rewriter: Rewriter) -> Answer:
    """Drop a multiplication or division by one, and an addition or subtraction of zero."""
    op = at.op
    for place, neutral in op.neutral.items():
        x, array = op.operands[1 - place], rewriter.constant(op.operands[place])
        if array is None or x.type != op.type or uniform(array) != neutral:
            continue
        if op.type.dtype.is_float and (np.signbit(array) != np.signbit(neutral)).any():
            return Skip("it turns -0.0 into 0.0")
        return Replaced(x)
    return None


@on(Reshape)
def merge_reshapes(at: Made[Reshape], rewriter: Rewriter) -> Answer:
    """Merge a reshape of a reshape."""
    before = rewriter.made(at.op.x, Reshape)
    return Replaced(Reshape(before.op.x, at.result.shape), (before.node,)) if before is not None else None


@on(Transpose)
def merge_transposes(at: Made[Transpose], rewriter: Rewriter) -> Answer:
    """Merge a transpose of a transpose."""
    before = rewriter.made(at.op.x, Transpose)
    if before is None:
        return None
    return Replaced(Transpose(before.op.x, tuple(before.op.perm[p] for p in at.op.perm)), (before.node,))


@on(Transpose)
def transpose_to_reshape(at: Made[Transpose], rewriter: Rewriter) -> Answer:
    """Replace a transpose that moves dimensions of size 1 only by a reshape."""
    return Replaced(Reshape(at.op.x, at.result.shape)) if at.op.is_view() else None


@on(Broadcast)
def broadcast_to_reshape(at: Made[Broadcast], rewriter: Rewriter) -> Answer:
    """Replace a broadcast that repeats nothing by a reshape."""
    return Replaced(Reshape(at.op.x, at.result.shape)) if at.op.is_view() else None


@on(Unary)
def sink_reshape(at: Made[Unary], rewriter: Rewriter) -> Answer:
    """Move a reshape behind an operator of one operand, to let that meet the operator before."""
    if at.op.type.bytes > at.op.x.type.bytes:  # a reshape of smaller elements stays
        return None
    reshape = rewriter.absorbable(at.op.x, Reshape)
    if reshape is None:
        return None
    moved = rewriter.add(at.op.with_operands([reshape.op.x]))
    return Replaced(Reshape(moved, at.result.shape), (reshape.node,))


@on(Elementwise)
def drop_broadcast(at: Made[Elementwise], rewriter: Rewriter) -> Answer:
    """Let an elementwise operator broadcast by itself."""
    for value in at.op.operands:
        source = rewriter.made(value, Broadcast)
        if source is not None:
            operands = [source.op.x if v == value else v for v in at.op.operands]
            if np.broadcast_shapes(*(v.shape for v in operands)) == at.result.shape:
                return Replaced(at.op.with_operands(operands), (source.node,))
    return None


@on(Pad)
def merge_pads(at: Made[Pad], rewriter: Rewriter) -> Answer:
    """Merge a pad of a pad with the same value."""
    op, before = at.op, rewriter.made(at.op.x, Pad)
    if before is None:
        return None
    inner = before.op
    if any((*op.between, *inner.between)):
        return Skip("there are gaps between the elements")
    values = [np.asarray(op.type.dtype.holds(v)).tobytes() for v in (op.value, inner.value)]
    if values[0] != values[1]:
        return Skip(f"one pads with {op.value}, the other with {inner.value}")
    starts = tuple(a + b for a, b in zip(op.before, inner.before, strict=True))
    ends = tuple(a + b for a, b in zip(op.after, inner.after, strict=True))
    return Replaced(Pad(inner.x, starts, ends, (), op.value), (before.node,))


@on(Slice)
def merge_slices(at: Made[Slice], rewriter: Rewriter) -> Answer:
    """Merge a slice of a slice."""
    op, before = at.op, rewriter.made(at.op.x, Slice)
    if before is None:
        return None
    inner = before.op
    start = tuple(s + a * t for a, s, t in zip(op.start, inner.start, inner.step, strict=True))
    step = tuple(a * b for a, b in zip(op.step, inner.step, strict=True))
    return Replaced(Slice(inner.x, start, op.size, step), (before.node,))


@on(Slice)
def slice_of_concat(at: Made[Slice], rewriter: Rewriter) -> Answer:
    """Slice the one operand of a concat that all of the slice comes from."""
    op, before = at.op, rewriter.made(at.op.x, Concat)
    if before is None or not op.type.size:
        return None
    axis, first = before.op.axis, 0
    ends = op.start[axis], op.start[axis] + (op.size[axis] - 1) * op.step[axis]
    for x in before.op.xs:
        if first <= min(ends) and max(ends) < first + x.shape[axis]:
            start = tuple(s - first if d == axis else s for d, s in enumerate(op.start))
            return Replaced(dataclasses.replace(op, x=x, start=start), (before.node,))
        first += x.shape[axis]
    return None


@on(Gather)
def gather_to_slice(at: Made[Gather], rewriter: Rewriter) -> Answer:
    """Replace a gather of constant, evenly spaced entries by a slice."""
    op, indices = at.op, rewriter.constant(at.op.indices)
    if indices is None or indices.size == 0:
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
    return Replaced(cut if cut.type == op.type else Reshape(rewriter.add(cut), at.result.shape))


@on(Clamp)
def merge_clamps(at: Made[Clamp], rewriter: Rewriter) -> Answer:
    """Merge a clamp of a clamp."""
    before = rewriter.made(at.op.x, Clamp)
    if before is None:
        return None
    low, high = intersect(before.op.min, before.op.max, at.op.min, at.op.max)
    return Replaced(Clamp(before.op.x, low, high), (before.node,))


@on(Cast)
def merge_casts(at: Made[Cast], rewriter: Rewriter) -> Answer:
    """Merge a cast of a cast whose type holds every number of the operand's."""
    before = rewriter.made(at.op.x, Cast)
    if before is None:
        return None
    source, middle, to = before.op.x.dtype, before.op.to, at.op.to
    if not np.can_cast(source.numpy, middle.numpy, "safe"):
        return None
    # To an integer type that is too narrow, integers wrap around and floats are limited.
    if middle.is_float and to.is_integer and not np.can_cast(source.numpy, to.numpy, "safe"):
        return None
    return Replaced(Cast(before.op.x, to), (before.node,))


@on(Div)
def divide_by_power_of_two(at: Made[Div], rewriter: Rewriter) -> Answer:
    """Replace a division by powers of two by a multiplication: both round the same real number, once."""
    op = at.op
    divisor = rewriter.constant(op.y) if op.type.dtype.is_float else None
    if divisor is None or divisor.size == 0:
        return None
    with np.errstate(all="ignore"):
        inverse = (1.0 / divisor.astype(np.float64)).astype(np.float32)
    powers = (np.abs(np.frexp(divisor)[0]) == 0.5) & np.isfinite(inverse) & (inverse != 0)
    return Replaced(Mul(op.x, rewriter.constant_value(inverse, op.y.name))) if powers.all() else None


@on(Sub)
def add_the_negative(at: Made[Sub], rewriter: Rewriter) -> Answer:
    """Replace the subtraction of a constant by an addition, which is what scales and shifts of channels are."""
    op = at.op
    number = rewriter.constant(op.y) if op.type.dtype.is_float else None
    if number is None or np.isnan(number).any():
        return None
    return Replaced(Add(op.x, rewriter.constant_value(-number, op.y.name)))


@on(Where)
def constant_condition(at: Made[Where], rewriter: Rewriter) -> Answer:
    """Drop a choice that is always the same."""
    op, condition = at.op, rewriter.constant(at.op.condition)
    if condition is None or not (condition.all() or not condition.any()):
        return None
    chosen: Value = op.x if condition.all() else op.y
    return Replaced(chosen) if chosen.type == op.type else None
