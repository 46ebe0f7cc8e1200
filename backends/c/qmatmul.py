"""C for integer matrix products of two activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from tinyc.backends.c.calls import pointer, wrapped
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.loops import around
from tinyc.backends.c.quantised_values import named, requantised
from tinyc.backends.c.unit import Pointer, RowCall, TranslationUnit
from tinyc.ir.expr import Arg
from tinyc.ir.loops import Index, Loops, broadcast_strides, contiguous
from tinyc.ir.ops import QMatMul
from tinyc.ir.rows import Stage
from tinyc.ir.types import DType


@emits(QMatMul)
def emit_qmatmul(unit: TranslationUnit, stage: Stage, whole: QMatMul) -> RowCall:
    """A product of matrices, or one for each of the leading dimensions."""
    op = cast("QMatMul", whole.row_op(stage.band, 0)) if stage.windows else whole
    rows, columns = op.type.shape[-2:]
    literals = named(rows=rows, inner=op.x.shape[-1], columns=columns, x_zero=op.x_zero, y_zero=op.y_zero)
    values = [f"/*{name}=*/{text}" for name, text in literals + requantised(op, op.bound())]
    kernel = unit.kernels.use("qmatmul", DType.I8)

    def call(places: Sequence[str], out: str) -> list[str]:
        arrays = [element_at(name, place) for name, place in zip(("x", "y", "out"), (*places, out), strict=True)]
        return wrapped(f"{kernel}(", [*arrays, *values], ");", 100).splitlines()

    body = "".join(f"    {line}\n" for line in around(matrices(op), call))
    parameters = f"{pointer(DType.I8)}x, {pointer(DType.I8)}y, int8_t *out"
    return RowCall(unit.function("qmatmul", parameters, body), (Pointer(0), Pointer(1)), long_rows=True)


def matrices(op: QMatMul) -> Loops:
    """Loops over the leading dimensions of a result, at the first elements of its matrices and its operands'."""
    shape = op.type.shape
    inputs = (broadcast_strides(v.shape, (*shape[:-2], *v.shape[-2:]))[:-2] for v in op.operands)
    output = Index(0, contiguous(shape)[:-2])
    return Loops(shape[:-2], tuple(Index(0, strides) for strides in inputs), output, Arg(DType.I8, 0))


def element_at(name: str, place: str) -> str:
    """An array from an element on, in C."""
    return name if place == "0" else f"{name} + {place}"
