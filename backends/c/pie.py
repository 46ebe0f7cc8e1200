"""C for integer layers with the vector instructions of the ESP32-S3, of which one has 16 products of int8.

Operands may lie anywhere, and be rows in any schedule. Layers of few products stay with the kernels without vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import cast

import numpy as np

from tinyc.backends.c.calls import Literal, elements, limits, pointer, shared
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.nibbles import has_nibbles
from tinyc.backends.c.pie_tables import BY_VECTORS, VECTOR, Chunks, Results, addition, constants, up
from tinyc.backends.c.quantised import Parameter, form
from tinyc.backends.c.short import requantisation
from tinyc.backends.c.tiles import COPIES
from tinyc.backends.c.tuned import pixels
from tinyc.backends.c.tuning import Tuning
from tinyc.backends.c.unit import Argument, Pointer, RowCall, Rows, TranslationUnit
from tinyc.backends.c.windows import beside, leaves_columns
from tinyc.backends.libraries.operands import constant
from tinyc.ir.op import Op
from tinyc.ir.ops import QAdd, QConv2d, QConvolution, QDense, QDepthwiseConv2d
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.rows import RowProgram, Stage
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

_SUM = 2**29
"""What sums are smaller than: they are raised by 2^30 and a bit."""
_MULTIPLIER = 2**30 - 2**14
"""What multipliers are smaller than whose results are made by vectors."""
_NULL: Parameter = (("", "NULL"), None)

_TAPS = COPIES // VECTOR
"""Elements of a depthwise window, at most."""
_LANE = 2**19 // 128
"""What the weights of a depthwise channel are together smaller than, in size."""

# Instructions, as counted: a multiply-accumulate and a result without vectors; the sums of 16 channels of a depthwise
# pixel, of 3x3, and of copied windows, with an element of these; a copied row of a window, a vector and an element of
# it.
_MAC, _RESULT, _NINE, _LANES, _COPIED, _ROW, _VECTOR, _ELEMENT = 5.3, 14.0, 140.0, 110.0, 16.0, 12.0, 3.0, 5.0


@dataclass(frozen=True)
class _Windows:
    """The windows of a convolution, of so many rows of `row` elements: copied, `pitch` elements a row, or with a pitch
    of 0 read pixel by pixel, `taps` in all, of so many channels."""

    rows: int
    row: int
    taps: int
    channels: int
    pitch: int

    @property
    def chunks(self) -> Chunks:
        """A copy as a pixel, or a pixel."""
        return Chunks(self.rows * self.pitch if self.pitch else self.channels)

    @property
    def bytes(self) -> int:
        """Of a copy."""
        return up(self.rows * self.pitch)

    def instructions(self, outputs: int) -> float:
        """About what the sums of a pixel take."""
        if not self.pitch:
            return self.chunks.instructions(outputs, self.taps)
        return self.copying + self.chunks.instructions(outputs)

    @property
    def copying(self) -> float:
        """About the instructions that copies take, for a pixel."""
        copied = _VECTOR * self.pitch / VECTOR if self.pitch % VECTOR == 0 else _ELEMENT * self.row
        return self.rows * (_ROW + copied) if self.pitch else 0.0

    def packed(self, weights: Array) -> Array:
        """Weights [outputs, rows, columns, channels] as the kernel takes them."""
        outputs = weights.shape[0]
        if not self.pitch:
            return self.chunks.packed(weights.reshape(outputs, self.taps, self.channels))
        wide = np.zeros((outputs, self.rows, self.pitch), np.int8)
        wide[:, :, : self.row] = weights.reshape(outputs, self.rows, self.row)
        return self.chunks.packed(wide.reshape(outputs, 1, -1))


def copying(op: QConv2d) -> tuple[int, float]:
    """The vectors of a window as it is computed, and about the instructions that its copy takes."""
    windows = _windows(op)
    return windows.chunks.total * (1 if windows.pitch else windows.taps), windows.copying


def _windows(op: QConv2d) -> _Windows:
    """The best of three: rows in vectors of their own, closely packed ones, which are copied element by element, or
    none that are copied."""
    (kh, kw), channels = op.window(), op.x.shape[3]
    row = kw * channels
    choices = [_Windows(kh, row, kh * kw, channels, pitch) for pitch in (up(row), row, 0)]
    return min((w for w in choices if w.bytes <= COPIES), key=lambda w: w.instructions(op.type.shape[3]))


@singledispatch
def _sums(op: Op, program: RowProgram) -> float | None:
    """About the instructions for the sums of a pixel; None where there is no kernel."""
    return None


@_sums.register
def _sums_of_convolution(op: QConv2d, program: RowProgram) -> float | None:
    if op.groups != 1:
        return None
    if op.per_pixel():
        return Chunks(op.x.shape[3]).instructions(op.type.shape[3])
    return _windows(op).instructions(op.type.shape[3])


@_sums.register
def _sums_of_dense(op: QDense, program: RowProgram) -> float | None:
    return Chunks(op.w.shape[1]).instructions(op.w.shape[0])


@_sums.register
def _sums_of_depthwise(op: QDepthwiseConv2d, program: RowProgram) -> float | None:
    weights, taps = constant(program, op.w), op.window()[0] * op.window()[1]
    if weights is None or op.channel_multiplier() != 1 or taps > _TAPS:
        return None
    if np.abs(weights.astype(np.int64)).sum(axis=(0, 1)).max() >= _LANE:
        return None
    return (_NINE if op.may_overwrite_row() else _LANES + _COPIED * taps) * up(op.x.shape[3]) / VECTOR


def _results(program: RowProgram, stage: Stage, op: IntegerLayer) -> Results | None:
    """How results are made; None where sums are too large, or something is computed that has to be constant."""
    bias = constant(program, op.b)
    if bias is None or any(constant(program, v) is None for v in (op.w, op.multiplier, op.shift)):
        return None
    multiplier, shift, bound = requantisation(program, stage, op)
    if np.any(bound >= _SUM):
        return None
    plain = bool(np.all(shift == 0) and np.all(multiplier < _MULTIPLIER))
    return Results(BY_VECTORS if plain else form(bound, shift), multiplier, shift, bias)


def takes(program: RowProgram, stage: Stage, tuning: Tuning) -> bool:
    """Whether a stage is computed by vectors."""
    here = tuning.vectors and stage.result.type.size and not has_nibbles(program, stage, tuning)
    sums = _sums(stage.op, program) if here else None
    if sums is None:
        return False
    op = cast("IntegerLayer", stage.op)  # the only ones that have sums
    if op.is_wide():
        return False
    results, outputs = _results(program, stage, op), op.type.shape[-1]
    plain = (_MAC * op.macs() + _RESULT * op.type.size) * outputs / op.type.size
    return results is not None and sums + results.instructions(outputs) < plain


def results_by_vectors(program: RowProgram, stage: Stage) -> bool:
    """Whether the results of a layer that vectors compute are made by vectors, too, and not one by one."""
    results = _results(program, stage, cast("IntegerLayer", stage.op))
    return results is not None and results.by_vectors


def _taken(unit: TranslationUnit, stage: Stage, op: IntegerLayer) -> bool:
    return takes(unit.program, stage, unit.tuning)


def _layer(
    unit: TranslationUnit, stage: Stage, op: QConvolution | QDense, packed: Array, lanes: bool, times: int = 1
) -> tuple[list[Parameter], list[Literal]]:
    """What the kernel of a layer takes from the weights to the shifts, with sums of channels in `lanes` or one by one,
    channels so many `times`; and its last literals."""
    results = _results(unit.program, stage, op)
    assert results is not None
    results = results.repeated(times)
    words, shorts, make = pointer(DType.I32), pointer(DType.I16), unit.constants.symbol
    weights = make(packed, f"{op.w.name}_vectors", "weights, in vectors of 16")
    bias: Parameter = ((words, "bias"), Pointer(2))
    if not lanes:
        note = "biases that are greater by 2^30 + 2^15, and zeros"
        bias = (words, "bias"), make(results.raised(), f"{op.b.name}_raised", note)
    if not results.by_vectors:
        shift = make(results.shift.astype(np.int8), op.shift.name)
        one_by_one: list[Parameter] = [
            ((words, "multiplier"), Pointer(3)),
            ((pointer(DType.I8), "shift"), shift),
        ]
        values = [("zero", str(op.out_zero)), *limits(op.min, op.max, DType.I8), ("form", str(results.form))]
        return [((pointer(DType.I8), "w"), weights), bias, _NULL, _NULL, *one_by_one], values
    table, kind = (results.biased(), "lanes") if lanes else (results.factors(), "factors")
    factors = make(table, f"{op.multiplier.name}_{kind}", "of 8 channels in turn: lower and upper part of factors")
    rest = make(constants(op.out_zero, op.min, op.max), f"{op.w.name}_constants", "eight of each")
    by_vectors: list[Parameter] = [((shorts, "factors"), factors), ((shorts, "constants"), rest), _NULL, _NULL]
    # The zero point and the limits are in the table.
    values = [("zero", "0"), ("low", "0"), ("high", "0"), ("form", str(BY_VECTORS))]
    return [((pointer(DType.I8), "w"), weights), _NULL if lanes else bias, *by_vectors], values


def _call(
    unit: TranslationUnit,
    hint: str,
    kernel: str,
    first: Sequence[Parameter],
    literals: Sequence[Literal],
    long_rows: bool = False,
    local: str = "",
) -> RowCall:
    """The call of a kernel with these parameters before the literals."""
    parameters = [*(parameter for parameter, _ in first), ("int8_t *", "out")]
    arguments: list[Argument] = [argument for _, argument in first if argument is not None]
    handed = {name for name in unit.tuning.handed(kernel) if dict(literals).get(name) != "0"}
    function, values = shared(unit, hint, kernel, DType.I8, parameters, literals, handed, local)
    return RowCall(function, (*arguments, *values), long_rows=long_rows)


def _rows(unit: TranslationUnit, op: QConvolution) -> list[Parameter]:
    """The rows of a window, and the pixel that stands for what lies beside them."""
    if not leaves_columns(op):
        return [(("const int8_t **", "rows"), Rows(0)), _NULL]
    pad = unit.constants.pad_row(DType.I8, op.zero, op.x.shape[3])
    return [(("const int8_t **", "rows"), Rows(0)), ((pointer(DType.I8), "pad"), pad)]


def _numbers(**values: int) -> list[Literal]:
    return [(name, str(value)) for name, value in values.items()]


def _pixels(unit: TranslationUnit, stage: Stage, op: QConv2d | QDense, inputs: int, outputs: int) -> RowCall:
    chunks = Chunks(inputs)
    weights = constant(unit.program, op.w)
    assert weights is not None
    taken, last = _layer(unit, stage, op, chunks.packed(weights.reshape(outputs, 1, inputs)), lanes=False)
    x: Parameter = ((pointer(DType.I8), "x"), Pointer(0))
    literals = [*_numbers(pixels=pixels(stage), next=inputs), *chunks.literals(outputs), *last]
    return _call(unit, "qpointwise", "qpie_pixels", [x, *taken], literals, long_rows=True)


@emits(QDense, where=_taken)
def emit_qdense(unit: TranslationUnit, stage: Stage, op: QDense) -> RowCall:
    """An integer dense layer."""
    return _pixels(unit, stage, op, op.w.shape[1], op.w.shape[0])


@emits(QConv2d, where=_taken)
def emit_qconv2d(unit: TranslationUnit, stage: Stage, op: QConv2d) -> RowCall:
    """An integer convolution of one pixel, or of copied windows."""
    if op.per_pixel():
        return _pixels(unit, stage, op, op.x.shape[3], op.type.shape[3])
    windows, outputs, width = _windows(op), op.type.shape[3], op.type.shape[2]
    chunks, (kh, kw) = windows.chunks, op.window()
    weights = constant(unit.program, op.w)
    assert weights is not None
    taken, last = _layer(unit, stage, op, windows.packed(weights), lanes=False)
    geometry = _numbers(
        width=op.x.shape[2],
        channels=op.x.shape[3],
        out_width=width,
        kh=kh,
        kw=kw,
        stride=op.strides[1],
        dilation=op.dilations[1],
        left=op.pads[1],
    )
    literals, parameters = [*geometry, *chunks.literals(outputs), *last], [*_rows(unit, op), *taken]
    if not windows.pitch:
        return _call(unit, f"qconv{kh}x{kw}", "qpie_taps2d", parameters, literals)
    tile, (before, after) = min(COPIES // windows.bytes, width), beside(op)
    local = f"TINYC_ALIGNED16 int8_t patches[{tile * windows.bytes}];"
    copies = _numbers(tile=tile, next=windows.bytes, before=before, after=after, pitch=windows.pitch)
    parameters.append((("", "patches"), None))
    return _call(unit, f"qconv{kh}x{kw}", "qpie_conv2d", parameters, [*copies, *literals], local=local)


def _flat(unit: TranslationUnit, stage: Stage, op: QDepthwiseConv2d) -> bool:
    """Whether lanes are the channels of several pixels, which lie side by side."""
    results = _results(unit.program, stage, op)
    few = op.x.shape[3] < VECTOR and VECTOR % op.x.shape[3] == 0
    plain = op.may_overwrite_row() and op.strides[1] == 1 and op.pads[1] <= 1
    return results is not None and results.by_vectors and few and plain


@emits(QDepthwiseConv2d, where=_taken)
def emit_qdepthwise(unit: TranslationUnit, stage: Stage, op: QDepthwiseConv2d) -> RowCall:
    """An integer depthwise convolution, channels in lanes."""
    channels, (kh, kw), stride, left = op.x.shape[3], op.window(), op.strides[1], op.pads[1]
    weights = constant(unit.program, op.w)
    assert weights is not None
    flat = _flat(unit, stage, op)
    wide = np.zeros((kh * kw, up(channels)), np.int8)
    wide[:, :channels] = weights.reshape(kh * kw, channels)
    if flat:
        wide = np.tile(wide[:, :channels], (1, VECTOR // channels))
    blocks = wide.reshape(kh * kw, -1, VECTOR).transpose(1, 0, 2).reshape(-1)
    packed = np.concatenate([blocks, np.zeros(VECTOR, np.int8)])
    taken, last = _layer(unit, stage, op, packed, lanes=True, times=VECTOR // channels if flat else 1)
    parameters = [*_rows(unit, op), *taken]
    sizes = {"width": op.x.shape[2], "channels": channels, "out_width": op.type.shape[2]}
    before, after = beside(op)
    if flat:
        first, _, factors, table, *_ = taken
        literals = _numbers(before=before, after=after, **sizes, left=left)
        return _call(unit, "qdepthwise3x3", "qpie_flat3x3", [*_rows(unit, op), first, factors, table], literals)
    if op.may_overwrite_row():
        geometry = _numbers(late=left if stride == 1 else 0, before=before, after=after, **sizes)
        literals = [*geometry, *_numbers(stride=stride, left=left), *last]
        return _call(unit, "qdepthwise3x3", "qpie_depthwise3x3", parameters, literals)
    geometry = _numbers(**sizes, kh=kh, kw=kw, stride=stride, dilation=op.dilations[1], left=left)
    local = f"TINYC_ALIGNED16 int8_t patch[{kh * kw * VECTOR}];"
    parameters.append((("", "patch"), None))
    return _call(unit, f"qdepthwise{kh}x{kw}", "qpie_depthwise", parameters, [*geometry, *last], local=local)


_LEAST_PLACES = 8
"""Of a sum by whole factors."""


def sum_table(stage: Stage, op: QAdd, tuning: Tuning) -> tuple[Array | None, int]:
    """The table of a sum by vectors, None where there is none, and its places."""
    whole = op.whole() if tuning.vectors else None
    if whole is None or whole[3] < _LEAST_PLACES or elements(stage) < VECTOR:
        return None, 0
    a, b, start, places = whole
    return addition(a, b, start, op.min, op.max), places


def _adds(unit: TranslationUnit, stage: Stage, op: QAdd) -> bool:
    return sum_table(stage, op, unit.tuning)[0] is not None


@emits(QAdd, where=_adds)
def emit_qadd(unit: TranslationUnit, stage: Stage, op: QAdd) -> RowCall:
    """The sum of two values of different scales by whole factors."""
    table, places = sum_table(stage, op, unit.tuning)
    assert table is not None
    constants = unit.constants.symbol(table, f"{op.x.name}_sum", "eight of each")
    x, y = ((pointer(DType.I8), "x"), Pointer(0)), ((pointer(DType.I8), "y"), Pointer(1))
    taken: list[Parameter] = [x, y, ((pointer(DType.I16), "constants"), constants)]
    literals = _numbers(n=elements(stage), places=places)
    return _call(unit, "qadd", "qpie_add", taken, literals, long_rows=True)
