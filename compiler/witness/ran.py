"""One region of the integer module, run on given numbers, and how far from its definition that may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinyc.compiler.witness import arithmetic
from tinyc.compiler.witness.regions import CHOOSING, MOVING, Region
from tinyc.compiler.witness.tables import TABLE_STEPS
from tinyc.ir.module import Node
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import (
    Clamp,
    Lookup,
    Quantize,
)
from tinyc.ir.tensor import Array


@dataclass(frozen=True)
class Ran:
    """What a region gives.

    Attributes:
        array: its result, as the interpreter has it.
        error: steps of the result by which integers may be off the real number; None where nothing is known of it.
        unrounded: the result before rounding and limits, in steps, and by how many of them that may be off, element by
            element; None where it says nothing.
        rounds: whether anything of the region makes integers of numbers.
    """

    array: Array
    error: float | None
    unrounded: tuple[Array, Array] | None
    rounds: bool


def run_region(region: Region, operands: Mapping[Value, Array]) -> Ran:
    """Runs the integer module's nodes of a region on arrays of what it takes."""
    arrays = dict(operands)
    errors: dict[Value, float | None] = dict.fromkeys(operands, 0.0)
    reals: dict[Value, tuple[Array, Array]] = {}
    for node in region.own:
        op, value = node.op, node.result
        with np.errstate(all="ignore"):
            arrays[value] = op.run([arrays[v] for v in op.operands])
        exact = arithmetic.compute(op, [arrays[v] for v in op.operands])
        errors[value] = _error(node, errors, arrays, exact)
        if exact is not None and exact.real is not None and not any(errors[v] for v in op.operands):
            shape = op.type.shape
            reals[value] = np.broadcast_to(exact.real, shape), np.broadcast_to(exact.allowed, shape)
        elif isinstance(op, MOVING) and op.operands[0] in reals:
            real, allowed = (op.evaluate(a).reshape(op.type.shape) for a in reals[op.operands[0]])
            reals[value] = real, allowed
    end = region.node.result
    unrounded = reals.get(end) if region.rounds_once else None
    return Ran(arrays[end], errors[end], unrounded, any(errors.get(n.result) != 0.0 for n in region.own))


def _error(
    node: Node, errors: Mapping[Value, float | None], arrays: Mapping[Value, Array], exact: arithmetic.Result | None
) -> float | None:
    """Steps by which a node's integers may be off what they stand for, given those of its operands."""
    op: Op = node.op
    before = [errors[v] for v in op.operands]
    if any(e is None for e in before):
        return None
    worst = max((e for e in before if e is not None), default=0.0)
    if isinstance(op, Lookup):
        table = arrays[op.table].astype(np.int64)
        return worst * float(np.abs(np.diff(table)).max()) + 0.5 + TABLE_STEPS
    if isinstance(op, Clamp):
        return max(worst, 0.5)  # the limits are rounded
    if isinstance(op, CHOOSING):
        return worst
    if exact is not None:
        # Rounded once and again, of a sum whose constants were rounded.
        return None if worst else 0.5 + exact.slack + float(np.max(exact.allowed, initial=0.0))
    if isinstance(op, Quantize):
        return None if worst else 0.5 + TABLE_STEPS
    return None if worst else 0.0
