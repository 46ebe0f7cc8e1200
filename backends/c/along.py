"""C for what goes along one dimension: places of the largest elements, and running sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from tinyc.backends.c.calls import Literal, pointer, specialise
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.literals import C_TYPES
from tinyc.backends.c.quantised_values import named, requantised
from tinyc.backends.c.unit import Pointer, RowCall, TranslationUnit
from tinyc.backends.c.wide import is_wide, wide_factor
from tinyc.ir.ops import CumSum, QCumSum, TopK
from tinyc.ir.ops.along import Along, ArgMost
from tinyc.ir.rows import Stage


@emits(ArgMost)
def emit_arg_most(unit: TranslationUnit, stage: Stage, op: ArgMost) -> RowCall:
    """One pass over each vector."""
    flags = [("least", str(int(not op.largest))), ("last", str(int(op.last)))]
    return _vectors(unit, stage, op, "arg_most", flags)


@emits(TopK)
def emit_top_k(unit: TranslationUnit, stage: Stage, op: TopK) -> RowCall:
    """One pass over each vector, which puts each element among the largest so far."""
    return _vectors(unit, stage, op, "top_k", [("count", str(op.count)), ("least", str(int(not op.largest)))])


@emits(CumSum)
def emit_cum_sum(unit: TranslationUnit, stage: Stage, op: CumSum) -> RowCall:
    """One pass over all elements."""
    flags = [("exclusive", str(int(op.exclusive))), ("reverse", str(int(op.reverse)))]
    return _vectors(unit, stage, op, "cum_sum", flags)


@emits(QCumSum)
def emit_qcum_sum(unit: TranslationUnit, stage: Stage, op: QCumSum) -> RowCall:
    """One pass over each vector, in int32."""
    return _vectors(unit, stage, op, "qcum_sum", [*_of_sums(op), *requantised(op, op.bound())])


@emits(QCumSum, where=is_wide)
def emit_wide_cum_sum(unit: TranslationUnit, stage: Stage, op: QCumSum) -> RowCall:
    """The same in int64."""
    return _vectors(unit, stage, op, "wcum_sum", [*_of_sums(op), *wide_factor(op, op.bound())])


def _of_sums(op: QCumSum) -> list[Literal]:
    return named(exclusive=int(op.exclusive), reverse=int(op.reverse), x_zero=op.zero)


def _vectors(unit: TranslationUnit, stage: Stage, whole: Along, kernel: str, attributes: Sequence[Literal]) -> RowCall:
    """A call for all vectors along the axis, of a band of rows or of the whole."""
    op = cast("Along", whole.row_op(stage.band, 0)) if stage.windows else whole
    geometry = [(name, str(n)) for name, n in zip(("outer", "n", "inner"), op.around(), strict=True)]
    parameters = [(pointer(op.x.dtype), "x"), (f"{C_TYPES[op.type.dtype]} *", "out")]
    function = specialise(unit, whole.mnemonic, kernel, op.x.dtype, parameters, [*geometry, *attributes])
    return RowCall(function, (Pointer(0),), long_rows=True)
