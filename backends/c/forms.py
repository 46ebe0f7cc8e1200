"""Which form of kernel computes a stage: by vectors, by MAC16, with two products a multiplication, or plain C."""

from __future__ import annotations

from functools import singledispatch
from typing import Literal

from tinyc.backends.c import pie, pie_pools
from tinyc.backends.c.mac16 import is_mac16
from tinyc.backends.c.tuning import Tuning
from tinyc.ir.op import Op
from tinyc.ir.ops import MaxPool2d, QAdd, QAvgPool2d, QMean
from tinyc.ir.rows import RowProgram, Stage

Form = Literal["vectors", "mac16", "pairs", "lean", "plain"]


def form(program: RowProgram, stage: Stage, tuning: Tuning) -> Form:
    """The form of tinyc's own kernel for a stage, with the scratch memory that it has now."""
    if pie.takes(program, stage, tuning) or _vectors(stage.op, stage, tuning):
        return "vectors"
    if is_mac16(program, stage, tuning):
        return "mac16"
    if stage.kernel.has_spare:
        return "pairs"
    return "lean" if tuning.optimize == "size" and stage.op.joint_weights() is not None else "plain"


def count(program: RowProgram, tuning: Tuning, wanted: Form) -> int:
    """How many stages tinyc computes in a form."""
    return sum(not s.kernel.library and form(program, s, tuning) == wanted for s in program.stages)


@singledispatch
def _vectors(op: Op, stage: Stage, tuning: Tuning) -> bool:
    """Whether an operator that is no layer with weights is computed by vectors."""
    return False


@_vectors.register
def _sum(op: QAdd, stage: Stage, tuning: Tuning) -> bool:
    return pie.sum_table(stage, op, tuning)[0] is not None


@_vectors.register
def _mean(op: QMean, stage: Stage, tuning: Tuning) -> bool:
    return pie_pools.means(op, tuning)


@_vectors.register
def _average(op: QAvgPool2d, stage: Stage, tuning: Tuning) -> bool:
    return pie_pools.averages(op, tuning)


@_vectors.register
def _largest(op: MaxPool2d, stage: Stage, tuning: Tuning) -> bool:
    return pie_pools.largest(op, tuning)
