"""C for integer operators that int16 has a part in, as an operand or as the result.

Kernels are written for int16 operands and serve int8 ones by substitution; that results are int8 or int16 is an
argument of theirs (`to`, in bytes). Sums are of 32 bits where weights and biases say that these hold them, else of 64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyc.backends.c.calls import Literal, elements, pointer, shared, specialise
from tinyc.backends.c.conv import pack
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.literals import C_TYPES, literal
from tinyc.backends.c.qmatmul import element_at, matrix_call, of_band, of_matrices
from tinyc.backends.c.quantised import Parameter
from tinyc.backends.c.quantised_values import named, of_mean, of_norm, of_rectifier, of_result, of_sum, of_total, of_two
from tinyc.backends.c.shares import LARGEST, leaves_fewer
from tinyc.backends.c.short import known, requantisation
from tinyc.backends.c.tiles import LANES
from tinyc.backends.c.tuned import pixels
from tinyc.backends.c.unit import Argument, Pointer, RowCall, Rows, TranslationUnit, Turn
from tinyc.backends.c.windows import beside, leaves_columns
from tinyc.ir import fixed_point
from tinyc.ir.op import Op
from tinyc.ir.ops import (
    Interpolate,
    InterpolateUneven,
    Lookup,
    QAdd,
    QConv2d,
    QConvolution,
    QDense,
    QDepthwiseConv2d,
    QDiv,
    QMatMul,
    QMean,
    QMul,
    QNorm,
    QPRelu,
    QSum,
    Requantise,
)
from tinyc.ir.ops.int8 import OneFactor
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.rows import Stage
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

# The forms of requantisation of `narrow_wide.h`.
_WORDS, _ONCE, _LONG = 0, 2, 5


def is_wide(unit: TranslationUnit, stage: Stage, op: Any) -> bool:
    """Whether int16 has a part in an operator."""
    return bool(op.is_wide())


def _form(bound: Array | int, multiplier: Array | int, shift: Array | int) -> int:
    """The form in which sums of at most `bound` are requantised."""
    if not fixed_point.fits_words(bound, shift):
        return _LONG
    return _ONCE if np.all(np.asarray(shift) == 0) and np.all(np.asarray(multiplier) < LARGEST) else _WORDS


def _bytes(op: Op) -> Literal:
    return "to", str(op.type.dtype.bytes)


def _y_bytes(op: QAdd | QMul | QDiv | QMatMul) -> Literal:
    return "y_bytes", str(op.y.dtype.bytes)


def _out(op: Op) -> tuple[str, str]:
    return f"{C_TYPES[op.type.dtype]} *", "out"


def _layer(
    unit: TranslationUnit, stage: Stage, op: IntegerLayer, packed: Array | None
) -> tuple[list[Parameter], list[Literal]]:
    """What the kernel of a layer takes: weights, biases, multipliers and shifts, and the literals of the result."""
    multiplier, shift, bound = requantisation(unit.program, stage, op)
    bias = known(unit.program, stage, op.b)
    form = _form(bound, multiplier, shift)
    weights: Argument = Pointer(1)
    if packed is not None:
        weights = unit.constants.symbol(packed, f"{op.w.name}_packed", "weights, four outputs interleaved")
    kind = DType.I64 if form == _LONG else DType.I32
    biases: Argument = Pointer(2)
    if op.b.dtype is not kind:
        biases = unit.constants.symbol(bias.astype(kind.numpy), f"{op.b.name}_{kind.value}")
    factors: Argument = Pointer(3)
    shifts: Parameter = (("", "NULL"), None)
    if form == _ONCE:
        times = (multiplier * 4).astype(np.int32)
        factors = unit.constants.symbol(times, f"{op.multiplier.name}_4", "times four")
    else:
        shifts = (pointer(DType.I8), "shift"), unit.constants.symbol(shift.astype(np.int8), op.shift.name)
    taken: list[Parameter] = [
        ((pointer(DType.I8), "w"), weights),
        ((pointer(kind), "bias"), biases),
        ((pointer(DType.I32), "multiplier"), factors),
        shifts,
    ]
    return taken, [*of_result(op), ("form", str(form)), _bytes(op)]


def _tile(unit: TranslationUnit, count: int) -> int:
    """Pixels of a register tile, of `count` in all."""
    most = min(unit.tuning.tile, 2) if unit.tuning.optimize == "size" else unit.tuning.tile
    return most - 1 if leaves_fewer(most, count) else most


def _call(
    unit: TranslationUnit,
    hint: str,
    kernel: str,
    op: Op,
    taken: list[Parameter],
    literals: list[Literal],
    long_rows: bool = False,
) -> RowCall:
    """The call of a kernel by the element type of the first operand."""
    parameters = [*(parameter for parameter, _ in taken), _out(op)]
    arguments = [argument for _, argument in taken if argument is not None]
    dtype, handed = op.operands[0].dtype, unit.tuning.handed(kernel)
    function, values = shared(unit, hint, kernel, dtype, parameters, literals, handed)
    return RowCall(function, (*arguments, *values), long_rows)


def _x(op: Op, name: str = "x", operand: int = 0) -> Parameter:
    return (pointer(op.operands[operand].dtype), name), Pointer(operand)


@emits(QConv2d, where=is_wide)
def emit_wide_convolution(unit: TranslationUnit, stage: Stage, op: QConv2d) -> RowCall:
    """A convolution of any kind, or of one pixel."""
    taken, result = _layer(unit, stage, op, pack(known(unit.program, stage, op.w), op.groups))
    if op.per_pixel() and op.groups == 1:
        return _pointwise(unit, stage, op, taken, result, op.x.shape[3], op.type.shape[3])
    (kh, kw), (before, after) = op.window(), beside(op)
    geometry = named(
        tile=_tile(unit, op.type.shape[2] - before - after),
        before=before,
        after=after,
        width=op.x.shape[2],
        channels=op.x.shape[3],
        out_width=op.type.shape[2],
        outputs=op.type.shape[3],
        kh=kh,
        kw=kw,
        stride=op.strides[1],
        dilation=op.dilations[1],
        left=op.pads[1],
        groups=op.groups,
    )
    return _call(unit, f"wconv{kh}x{kw}", "wconv2d", op, [*_rows(unit, op), *taken], geometry + result)


def _rows(unit: TranslationUnit, op: QConvolution) -> list[Parameter]:
    """The rows of a window, and one that stands for what lies beside them."""
    rows: Parameter = (f"const {C_TYPES[op.x.dtype]} **", "rows"), Rows(0)
    if not leaves_columns(op):
        return [rows, (("", "NULL"), None)]
    return [rows, ((pointer(op.x.dtype), "pad"), unit.constants.pad_row(op.x.dtype, op.zero, op.x.shape[3]))]


@emits(QDense, where=is_wide)
def emit_wide_dense(unit: TranslationUnit, stage: Stage, op: QDense) -> RowCall:
    """A dense layer: every row of x is what a pixel is to a pointwise convolution."""
    taken, result = _layer(unit, stage, op, pack(known(unit.program, stage, op.w), 1))
    outputs, inputs = op.w.shape
    return _pointwise(unit, stage, op, taken, result, inputs, outputs)


def _pointwise(
    unit: TranslationUnit,
    stage: Stage,
    op: QConv2d | QDense,
    taken: list[Parameter],
    result: list[Literal],
    inputs: int,
    outputs: int,
) -> RowCall:
    tile = _tile(unit, pixels(stage))
    tiles, spare = divmod(pixels(stage), tile)
    geometry = named(tiles=tiles, tile=tile, spare=spare, inputs=inputs, outputs=outputs, rest=outputs % LANES)
    return _call(unit, "wpointwise", "wpointwise", op, [_x(op), *taken], geometry + result, long_rows=True)


@emits(QDepthwiseConv2d, where=is_wide)
def emit_wide_depthwise(unit: TranslationUnit, stage: Stage, op: QDepthwiseConv2d) -> RowCall:
    """A depthwise convolution; 3x3 of int16 to int16 has a kernel of its own."""
    taken, result = _layer(unit, stage, op, None)
    (kh, kw), stride, left = op.window(), op.strides[1], op.pads[1]
    geometry = named(width=op.x.shape[2], channels=op.x.shape[3], out_width=op.type.shape[2])
    if op.may_overwrite_row() and op.x.dtype is DType.I16:
        geometry += named(stride=stride, left=left, fill=op.zero)
        rows = _rows(unit, op)[:1]
        return _call(unit, "wdepthwise3x3", "wdepthwise3x3", op, [*rows, *taken], geometry + result[:-1])
    geometry += named(each=op.channel_multiplier(), kh=kh, kw=kw, stride=stride, dilation=op.dilations[1], left=left)
    return _call(unit, f"wdepthwise{kh}x{kw}", "wdepthwise", op, [*_rows(unit, op), *taken], geometry + result)


def wide_factor(op: OneFactor, bound: int) -> list[Literal]:
    """How sums of at most `bound` become the result."""
    form = _form(bound, op.multiplier, op.shift)
    multiplier = op.multiplier * 4 if form == _ONCE else op.multiplier
    return [*named(multiplier=multiplier, shift=op.shift), *of_result(op), ("form", str(form)), _bytes(op)]


@emits(QAdd, where=is_wide)
def emit_wide_sum(unit: TranslationUnit, stage: Stage, op: QAdd) -> RowCall:
    """The sum of two values of different scales."""
    literals = [_y_bytes(op), *of_sum(op, stage), *of_result(op), _bytes(op)]
    return _call(unit, op.mnemonic, "wadd", op, [_x(op), _x(op, "y", 1)], literals, long_rows=True)


@emits(QMul, where=is_wide)
def emit_wide_product(unit: TranslationUnit, stage: Stage, op: QMul) -> RowCall:
    """The product of two values, or of one and a factor for each of its channels."""
    literals = [_y_bytes(op), *of_two(op, stage), *wide_factor(op, op.bound())]
    return _call(unit, op.mnemonic, "wmul", op, [_x(op), _x(op, "y", 1)], literals, long_rows=True)


@emits(QDiv, where=is_wide)
def emit_wide_quotient(unit: TranslationUnit, stage: Stage, op: QDiv) -> RowCall:
    """The quotient of two values, or of one and a divisor for each of its channels."""
    literals = [
        _y_bytes(op),
        *of_two(op, stage),
        *named(factor=op.factor, places=op.places),
        *of_result(op),
        _bytes(op),
    ]
    return _call(unit, op.mnemonic, "wdiv", op, [_x(op), _x(op, "y", 1)], literals, long_rows=True)


@emits(QNorm, where=is_wide)
def emit_wide_norm(unit: TranslationUnit, stage: Stage, op: QNorm) -> RowCall:
    """Numbers less their mean, divided by their deviation."""
    literals = of_norm(op, stage) + named(unit=1 << op.epsilon_places(), right=op.right())
    taken = [_x(op), _x(op, "g", 1), _x(op, "b", 2)]
    literals += wide_factor(op, op.precision().largest)
    return _call(unit, op.mnemonic, "wnorm", op, taken, literals, long_rows=True)


@emits(QPRelu, where=is_wide)
def emit_wide_rectifier(unit: TranslationUnit, stage: Stage, op: QPRelu) -> RowCall:
    """A value with a factor for each channel where it is negative."""
    literals = of_rectifier(op, stage) + wide_factor(op, op.bound())
    return _call(unit, op.mnemonic, "wprelu", op, [_x(op), _x(op, "below", 1)], literals, long_rows=True)


@emits(Requantise)
def emit_requantise(unit: TranslationUnit, stage: Stage, op: Requantise) -> RowCall:
    """Integers of another scale or type."""
    bound = max(abs(limit - op.zero) for limit in op.x.dtype.limits)
    literals = [*named(n=elements(stage), x_zero=op.zero), *wide_factor(op, bound)]
    return _call(unit, op.mnemonic, "wrequantise", op, [_x(op)], literals, long_rows=True)


@emits(Interpolate)
def emit_interpolate(unit: TranslationUnit, stage: Stage, op: Interpolate) -> RowCall:
    """A function of one int16 value, by a table with straight lines between its entries."""
    literals = named(n=elements(stage), places=op.places())
    return _call(unit, op.mnemonic, "interpolate", op, [_x(op), _x(op, "table", 1)], literals, long_rows=True)


@emits(InterpolateUneven)
def emit_uneven(unit: TranslationUnit, stage: Stage, op: InterpolateUneven) -> RowCall:
    """The same by a table with more entries where it bends."""
    taken = [_x(op), _x(op, "table", 1), _x(op, "first", 2)]
    return _call(unit, op.mnemonic, "interpolate_uneven", op, taken, named(n=elements(stage)), long_rows=True)


@emits(Lookup, where=lambda unit, stage, op: op.type.dtype is DType.I16)
def emit_wide_lookup(unit: TranslationUnit, stage: Stage, op: Lookup) -> RowCall:
    """A function of one int8 value that gives int16, by table."""
    literals = named(n=elements(stage))
    return _call(unit, "wlookup", "wlookup", op, [_x(op), _x(op, "table", 1)], literals, long_rows=True)


@emits(QMatMul, where=is_wide)
def emit_wide_matrices(unit: TranslationUnit, stage: Stage, whole: QMatMul) -> RowCall:
    """A product of matrices, or one for each of the leading dimensions."""
    op = of_band(whole, stage)

    def arrays(x: str, y: str, out: str) -> list[str]:
        return [element_at("x", x), "y", y, "out", out]

    literals = [_y_bytes(op), *of_matrices(op), *wide_factor(op, op.bound())]
    return matrix_call(unit, op, "wmatmul", arrays, literals)


@emits(QMean, where=is_wide)
def emit_wide_mean(unit: TranslationUnit, stage: Stage, op: QMean) -> RowCall:
    """The mean of each channel."""
    if stage.gathers:
        _, height, width, channels = op.x.shape
        offset = literal(DType.I64, height * width * op.zero)
        given = [*named(pixels=width, channels=channels), ("offset", offset), *wide_factor(op, op.bound())]
        parameters = [(pointer(op.x.dtype), "x"), ("int", "first"), ("int", "last"), _out(op)]
        function = specialise(unit, "wmean_row", "wmean_row", op.x.dtype, parameters, given)
        return RowCall(function, (Pointer(0), Turn(True), Turn(False)))
    return _call(unit, "qmean", "wmean", op, [_x(op)], of_mean(op) + wide_factor(op, op.bound()))


@emits(QSum, where=is_wide)
def emit_wide_total(unit: TranslationUnit, stage: Stage, op: QSum) -> RowCall:
    """Sums by the kernel for means."""
    literals = of_total(op, stage) + wide_factor(op, op.bound())
    return _call(unit, "qsum", "wmean", op, [_x(op)], literals, long_rows=True)
