"""C for integer matrix products of two activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from tinyc.backends.c.calls import Literal, pointer, wrapped
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.literals import C_TYPES
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
    op = of_band(whole, stage)

    def arrays(x: str, y: str, out: str) -> list[str]:
        return [element_at("x", x), element_at("y", y), element_at("out", out)]

    return matrix_call(unit, op, "qmatmul", arrays, of_matrices(op) + requantised(op, op.bound()))


def of_band(whole: QMatMul, stage: Stage) -> QMatMul:
    """What one call of a stage computes."""
    return cast("QMatMul", whole.row_op(stage.band, 0)) if stage.windows else whole


def of_matrices(op: QMatMul) -> list[Literal]:
    """What kernels for products of matrices take before the factor."""
    rows, columns = op.type.shape[-2:]
    return named(rows=rows, inner=op.x.shape[-1], columns=columns, x_zero=op.x_zero, y_zero=op.y_zero)


def matrix_call(
    unit: TranslationUnit,
    op: QMatMul,
    kernel: str,
    arrays: Callable[[str, str, str], list[str]],
    literals: Sequence[Literal],
) -> RowCall:
    """The call of a function that calls a kernel for each of the matrices, with literals behind what `arrays` gives for
    the numbers of their first elements."""
    name = unit.kernels.use(kernel, op.x.dtype)
    values = [f"/*{name}=*/{text}" for name, text in literals]

    def call(places: Sequence[str], out: str) -> list[str]:
        x, y = places
        return wrapped(f"{name}(", [*arrays(x, y, out), *values], ");", 100).splitlines()

    body = "".join(f"    {line}\n" for line in around(_matrices(op), call))
    parameters = f"{pointer(op.x.dtype)}x, {pointer(op.y.dtype)}y, {C_TYPES[op.type.dtype]} *out"
    return RowCall(unit.function(kernel, parameters, body), (Pointer(0), Pointer(1)), long_rows=True)


def _matrices(op: QMatMul) -> Loops:
    """Loops over the leading dimensions of a result, at the first elements of its matrices and its operands'."""
    shape = op.type.shape
    inputs = (broadcast_strides(v.shape, (*shape[:-2], *v.shape[-2:]))[:-2] for v in op.operands)
    output = Index(0, contiguous(shape)[:-2])
    return Loops(shape[:-2], tuple(Index(0, strides) for strides in inputs), output, Arg(DType.I8, 0))


def element_at(name: str, place: str) -> str:
    """An array from an element on, in C."""
    return name if place == "0" else f"{name} + {place}"
