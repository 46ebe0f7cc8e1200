"""One region of the integer module, run on given numbers, and how far from its definition that may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyc.backends.interpreter.threads import in_one_thread
from tinyc.compiler.witness import arithmetic
from tinyc.compiler.witness.behind import moved
from tinyc.compiler.witness.kinds import COMPUTING, GIVING, INTEGER, SUMMING
from tinyc.compiler.witness.region import Region
from tinyc.compiler.witness.tables import OFF, table_steps
from tinyc.ir.concern import Concern
from tinyc.ir.module import Node
from tinyc.ir.op import Value
from tinyc.ir.ops import (
    And,
    Cast,
    Clamp,
    Constant,
    Equal,
    Less,
    Lookup,
    MaxPool2d,
    Not,
    Or,
    Quantize,
    TopK,
)
from tinyc.ir.ops.along import ArgMost
from tinyc.ir.ops.qinterpolate import OfLines
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType


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


@in_one_thread
def run_region(region: Region, operands: Mapping[Value, Array]) -> Ran:
    """Runs the integer module's nodes of a region on arrays of what it takes."""
    arrays = dict(operands)
    errors: dict[Value, float | None] = dict.fromkeys(operands, 0.0)
    reals: dict[Value, tuple[Array, Array]] = {}
    for node in region.own.nodes:
        op, value = node.op, node.result
        with np.errstate(all="ignore"):
            arrays[value] = op.run([arrays[v] for v in op.operands])
        exact = arithmetic.compute(op, [arrays[v] for v in op.operands])
        errors[value] = _error(node, errors, arrays, exact)
        if exact is not None and exact.real is not None and not any(errors[v] for v in op.operands):
            shape = op.type.shape
            reals[value] = np.broadcast_to(exact.real, shape), np.broadcast_to(exact.allowed, shape)
        elif (source := moved(op)) is not None and source in reals:
            real, allowed = (op.evaluate(a).reshape(op.type.shape) for a in reals[source])
            reals[value] = real, allowed
    end = region.node.result
    unrounded = reals.get(end) if region.rounds_once else None
    return Ran(arrays[end], errors[end], unrounded, any(errors.get(n.result) != 0.0 for n in region.own.nodes))


@dataclass(frozen=True)
class _Step:
    """One node as it was run.

    Attributes:
        worst: steps by which its operands may be off what they stand for.
        arrays: its operands.
        exact: its result in exact arithmetic, where it is one of integers.
    """

    worst: float
    arrays: tuple[Array, ...]
    exact: arithmetic.Result | None


ERRORS: Concern[Callable[[Any, _Step], float | None]] = Concern(
    "error", "register it in compiler/witness/ran.py (`ERRORS`)"
)
"""By operator: steps by which its integers may be off what they stand for; None where nothing is known of that."""


def _error(
    node: Node, errors: Mapping[Value, float | None], arrays: Mapping[Value, Array], exact: arithmetic.Result | None
) -> float | None:
    """Steps by which a node's integers may be off what they stand for, given those of its operands."""
    operands = node.op.operands
    before = [e for v in operands if (e := errors[v]) is not None]
    if len(before) < len(operands):
        return None
    step = _Step(max(before, default=0.0), tuple(arrays[v] for v in operands), exact)
    return ERRORS.of(node.op)(node.op, step)


@ERRORS(*GIVING, MaxPool2d)
def _given(op: Any, step: _Step) -> float | None:
    return step.worst


@ERRORS(Clamp)
def _limited(op: Clamp, step: _Step) -> float | None:
    return max(step.worst, 0.5)  # the limits are rounded


@ERRORS(Lookup)
def _looked_up(op: Lookup, step: _Step) -> float | None:
    table = step.arrays[1].astype(np.int64)
    if np.array_equal(table, np.arange(127, -129, -1)):
        return step.worst  # the negated numbers, by another zero point
    return step.worst * float(np.abs(np.diff(table)).max()) + 0.5 + table_steps(op.table.dtype)


@ERRORS(OfLines)
def _interpolated(op: OfLines, step: _Step) -> float | None:
    return None if step.worst else OFF + table_steps(DType.I16)


@ERRORS(Not, Equal, Less, And, Or, ArgMost, TopK)
def _decided(op: Any, step: _Step) -> float | None:
    """Booleans and places are right or wrong; wrong ones show in what is chosen by them."""
    return 0.0


@ERRORS(Cast)
def _cast(op: Cast, step: _Step) -> float | None:
    return _plain(op, step) if op.to.is_float else 0.0


@ERRORS(Quantize)
def _rounded(op: Quantize, step: _Step) -> float | None:
    return None if step.worst else 0.5 + table_steps(op.to)


@ERRORS(*INTEGER)
def _computed(op: Any, step: _Step) -> float | None:
    """Rounded once and again, of a sum whose constants were rounded."""
    assert step.exact is not None
    return None if step.worst else 0.5 + step.exact.slack + float(np.max(step.exact.allowed, initial=0.0))


@ERRORS(*COMPUTING, *SUMMING, Constant)
def _plain(op: Any, step: _Step) -> float | None:
    return None if step.worst else 0.0
