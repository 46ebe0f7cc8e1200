"""C for integer operators without weights: sums and products of two values, averages, tables, softmax."""

from __future__ import annotations

import math
from typing import cast

from tinyc.backends.c.calls import Literal, elements, limits, pointer, shared, specialise
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.literals import C_TYPES, literal
from tinyc.backends.c.pool import pool_call
from tinyc.backends.c.quantised import factor_form
from tinyc.backends.c.unit import Pointer, RowCall, TranslationUnit, Turn
from tinyc.ir.ops import Lookup, QAdd, QAvgPool2d, QDiv, QMean, QMul, QNorm, QPRelu, QSoftmax, QSum
from tinyc.ir.ops.int8 import OneFactor, Requantised
from tinyc.ir.rows import Stage
from tinyc.ir.types import DType

FEW = 32
"""Elements of a softmax whose multiplications are calls: these take about 90 instructions more for each, and save about
200 bytes on rv32imc."""
_X, _OUT = (pointer(DType.I8), "x"), ("int8_t *", "out")


@emits(QAdd)
def emit_qadd(unit: TranslationUnit, stage: Stage, op: QAdd) -> RowCall:
    """The sum of two values of different scales; by whole factors, where its parameters are such."""
    whole = op.whole()
    if whole is not None:
        a, b, start, places = whole
        given = named(n=elements(stage), a=a, b=b, start=start, places=places)
        return _elementwise(unit, "qadd_whole", "y", given + limits(op.min, op.max, DType.I8))
    return _elementwise(unit, op.mnemonic, "y", of_sum(op, stage) + of_result(op))


def of_sum(op: QAdd, stage: Stage) -> list[Literal]:
    """What kernels for sums of two values take before what `of_result` gives."""
    return named(
        n=elements(stage),
        unit=1 << op.left,
        x_zero=op.x_zero,
        x_multiplier=op.x_multiplier,
        x_shift=op.x_shift,
        y_zero=op.y_zero,
        y_multiplier=op.y_multiplier,
        y_shift=op.y_shift,
        multiplier=op.out_multiplier,
        shift=op.out_shift,
    )


def of_result(op: Requantised) -> list[Literal]:
    """The literals of a result behind its factors: zero point and limits."""
    return named(zero=op.out_zero) + limits(op.min, op.max, op.to)


def requantised(op: OneFactor, bound: int) -> list[Literal]:
    """How sums of at most `bound` become the result."""
    multiplier, form = factor_form(bound, op.multiplier, op.shift)
    return [*named(multiplier=multiplier, shift=op.shift), *of_result(op), ("form", str(form))]


@emits(QMul)
def emit_qmul(unit: TranslationUnit, stage: Stage, op: QMul) -> RowCall:
    """The product of two values, or of one and a factor for each of its channels."""
    return _elementwise(unit, op.mnemonic, "y", of_two(op, stage) + requantised(op, op.bound()))


@emits(QDiv)
def emit_qdiv(unit: TranslationUnit, stage: Stage, op: QDiv) -> RowCall:
    """The quotient of two values, or of one and a divisor for each of its channels."""
    literals = of_two(op, stage) + named(factor=op.factor, places=op.places) + of_result(op)
    return _elementwise(unit, op.mnemonic, "y", literals)


def of_two(op: QMul | QDiv, stage: Stage) -> list[Literal]:
    """What kernels for products and quotients take first."""
    repeat = op.x.shape != op.y.shape
    n = op.y.type.size if repeat else elements(stage)
    return named(count=elements(stage) // n, n=n, repeat=int(repeat), x_zero=op.x_zero, y_zero=op.y_zero)


@emits(Lookup)
def emit_lookup(unit: TranslationUnit, stage: Stage, op: Lookup) -> RowCall:
    """A function of one value, by table."""
    return _elementwise(unit, op.mnemonic, "table", named(n=elements(stage)))


@emits(QMean)
def emit_qmean(unit: TranslationUnit, stage: Stage, op: QMean) -> RowCall:
    """The mean of each channel."""
    if stage.gathers:
        _, height, width, channels = op.x.shape
        given = named(pixels=width, channels=channels, offset=height * width * op.zero)
        return _one_row_more(unit, "qmean_row", given + requantised(op, op.bound()))
    literals = of_mean(op) + requantised(op, op.bound())
    return RowCall(specialise(unit, "qmean", "qmean", DType.I8, [_X, _OUT], literals), (Pointer(0),))


def of_mean(op: QMean) -> list[Literal]:
    """What kernels for means take first."""
    count, height, width, channels = op.x.shape
    return named(count=count, pixels=height * width, channels=channels, x_zero=op.zero)


@emits(QSum)
def emit_qsum(unit: TranslationUnit, stage: Stage, op: QSum) -> RowCall:
    """Sums by the kernel for means."""
    literals = of_total(op, stage) + requantised(op, op.bound())
    return RowCall(specialise(unit, "qsum", "qmean", DType.I8, [_X, _OUT], literals), (Pointer(0),), long_rows=True)


def of_total(whole: QSum, stage: Stage) -> list[Literal]:
    """What kernels for means take first, which give sums of what is for them the pixels of images, one a channel."""
    op = whole.row_op(stage.band, 0) if stage.windows else whole
    shape, (first, *_) = op.operands[0].shape, whole.axes
    channels = math.prod(shape[first + len(whole.axes) :])
    return named(count=math.prod(shape[:first]), pixels=whole.count(), channels=channels, x_zero=whole.zero)


@emits(QAvgPool2d)
def emit_qavg_pool(unit: TranslationUnit, stage: Stage, op: QAvgPool2d) -> RowCall:
    """The average of each window."""
    if stage.gathers:
        given = named(pixels=op.x.shape[2], channels=op.x.shape[3], there=op.kernel[0] * op.kernel[1])
        return _one_row_more(unit, "qavg_row", [*given, *average_literals(op)], op.x.dtype)
    return pool_call(unit, stage, op, "qavgpool", "qavg_pool2d", average_literals(op))


def _one_row_more(unit: TranslationUnit, kernel: str, literals: list[Literal], dtype: DType = DType.I8) -> RowCall:
    """A call of a kernel that gathers rows."""
    element = C_TYPES[dtype]
    parameters = [(pointer(dtype), "x"), ("int", "first"), ("int", "last"), (f"{element} *", "out")]
    function = specialise(unit, kernel, kernel, dtype, parameters, literals)
    return RowCall(function, (Pointer(0), Turn(True), Turn(False)))


def average_literals(op: QAvgPool2d) -> list[Literal]:
    """What kernels for averages take beside the geometry: the places that the pixels of a window shift a sum by, or -1,
    and the limits."""
    count = op.kernel[0] * op.kernel[1]
    places = count.bit_length() - 1 if count & (count - 1) == 0 else -1
    return [("places", str(places)), *limits(op.min, op.max, op.x.dtype)]


@emits(QNorm)
def emit_qnorm(unit: TranslationUnit, stage: Stage, whole: QNorm) -> RowCall:
    """Numbers less their mean, divided by their deviation."""
    literals = of_norm(whole, stage) + named(left=whole.left(), right=whole.right())
    literals += requantised(whole, whole.precision().largest)
    parameters = [_X, (pointer(DType.I16), "g"), (pointer(DType.I32), "b"), _OUT]
    function = specialise(unit, "qnorm", "qnorm", DType.I8, parameters, literals)
    return RowCall(function, (Pointer(0), Pointer(1), Pointer(2)), long_rows=True)


def of_norm(whole: QNorm, stage: Stage) -> list[Literal]:
    """What kernels for norms take first."""
    op = cast("QNorm", whole.row_op(stage.band, 0)) if stage.windows else whole
    (count, n, inner), (outer_step, step, inner_step) = op.sizes(), op.steps()
    literals = named(count=count, n=n, inner=inner, outer_step=outer_step, step=step, inner_step=inner_step)
    literals += [*named(period=op.period(), x_zero=op.zero), ("epsilon", literal(DType.I64, op.epsilon))]
    return literals + named(centred=int(op.centred))


@emits(QPRelu)
def emit_qprelu(unit: TranslationUnit, stage: Stage, op: QPRelu) -> RowCall:
    """A value with a factor for each channel where it is negative."""
    parameters = [_X, (pointer(DType.I16), "below"), _OUT]
    literals = of_rectifier(op, stage) + requantised(op, op.bound())
    function = specialise(unit, "qprelu", "qprelu", DType.I8, parameters, literals)
    return RowCall(function, (Pointer(0), Pointer(1)), long_rows=True)


def of_rectifier(op: QPRelu, stage: Stage) -> list[Literal]:
    """What kernels for rectifiers take first."""
    n = op.type.shape[-1]
    return named(count=elements(stage) // n, n=n, x_zero=op.zero, above=op.above)


@emits(QSoftmax)
def emit_qsoftmax(unit: TranslationUnit, stage: Stage, op: QSoftmax) -> RowCall:
    """Softmax over the last dimension."""
    n, least = op.type.shape[-1], -(2 ** (8 * op.x.dtype.bytes))
    literals = named(count=elements(stage) // n, n=n, multiplier=op.multiplier, left=op.left)
    seldom = {"speed": 0, "balanced": op.type.size <= FEW, "size": 1}[unit.tuning.optimize]
    literals += named(diff_min=max(op.diff_min, least), apart=int(seldom), to=op.to.bytes)
    parameters = [(pointer(op.x.dtype), "x"), (f"{C_TYPES[op.to]} *", "out")]
    function = specialise(unit, "qsoftmax", "qsoftmax", op.x.dtype, parameters, literals)
    return RowCall(function, (Pointer(0),), long_rows=True)


def named(**values: int) -> list[Literal]:
    """Literals of numbers by their names."""
    return [(name, str(value)) for name, value in values.items()]


def _elementwise(unit: TranslationUnit, kernel: str, second: str, literals: list[Literal]) -> RowCall:
    """A call of a kernel whose second operand is called so."""
    parameters = [_X, (pointer(DType.I8), second), _OUT]
    function, values = shared(unit, kernel, kernel, DType.I8, parameters, literals, unit.tuning.handed(kernel))
    return RowCall(function, (Pointer(0), Pointer(1), *values), long_rows=True)
