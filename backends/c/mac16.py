"""Integer layers by the MAC16 option of Xtensa cores (`mac16.h`): what memory they want, and their C.

An instruction multiplies two int16, adds the product to a sum and loads what a later one multiplies. So elements of a
band of pixels, and the weights of an output channel, are made int16 in scratch memory. Elements become so with 128
added, which the bias takes back; weights times 256, in two instructions for two of them. Sums are then 256 times too
large, which 32 bits hold where they are below 2^23, and 40 bits always.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from tinyc.backends.c.calls import pointer, shared
from tinyc.backends.c.emitter import emits
from tinyc.backends.c.nibbles import has_nibbles
from tinyc.backends.c.pie import takes
from tinyc.backends.c.quantised import LayerArguments, Parameter, of_words
from tinyc.backends.c.tiles import COPIES
from tinyc.backends.c.tuned import pixels
from tinyc.backends.c.tuning import Tuning
from tinyc.backends.c.unit import Argument, Pointer, RowCall, Rows, Scratch, TranslationUnit
from tinyc.backends.c.windows import leaves_columns
from tinyc.backends.libraries.operands import constant
from tinyc.ir import fixed_point
from tinyc.ir.op import Op
from tinyc.ir.ops import QConv2d, QDense, QDepthwiseConv2d
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.rows import RowProgram, Stage
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

NARROW = 2**23
"""Sums below this fit 32 bits when they are 256 times as large."""
STACK = COPIES // 4
"""Words of scratch memory on the stack, at most, where the arena has no room for more of them."""
_STACKS = (40, 80, STACK)
"""What is taken of it: few sizes, so that layers share functions."""
_FEWEST = 4
"""Elements of a window from which on it pays."""
_BANDS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Into how many bands the outputs of a call may be cut."""


@dataclass(frozen=True)
class Room:
    """The scratch memory of a layer in words: `base` and for each of `count` outputs of a channel in one call `each`.
    Fewer are computed in bands."""

    base: int
    each: int
    count: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Words that it can use, the best first. With what fits the stack, the arena need not have room for less."""
        bands = [-(-self.count // parts) for parts in _BANDS if parts == 1 or self.count // parts > 1]
        sizes = dict.fromkeys(self.base + self.each * band for band in bands)
        return tuple(size for number, size in enumerate(sizes) if number == 0 or size > STACK)

    def band(self, words: int) -> int:
        """The outputs for which there is room in so many words; 0 where that is too little."""
        found = min((words - self.base) // self.each, self.count)
        return found if found > 1 or found == self.count else 0

    @property
    def on_stack(self) -> int:
        """The words that it takes of the stack; 0 where these are too few."""
        most = self.base + self.each * self.band(STACK)
        return next(size for size in _STACKS if size >= most) if self.band(STACK) else 0


def room(program: RowProgram, stage: Stage, tuning: Tuning) -> Room | None:
    """What memory the kernel of a stage needs; None for one that is not computed so."""
    plain = stage.kernel.library or has_nibbles(program, stage, tuning)
    if not tuning.mac16 or plain or takes(program, stage, tuning):
        return None
    return _room(stage.op, program, stage)


def wanted(program: RowProgram, stage: Stage, tuning: Tuning) -> tuple[int, ...]:
    """The words of scratch memory that the kernel of a stage can use, the best first; none where it has no use for
    any."""
    needed = room(program, stage, tuning)
    return () if needed is None else needed.sizes


def is_mac16(program: RowProgram, stage: Stage, tuning: Tuning) -> bool:
    """Whether a stage is computed so: it has memory that it can use, or room on the stack."""
    needed = room(program, stage, tuning)
    return needed is not None and _words(stage, needed) > 0


def bands(program: RowProgram, stage: Stage, tuning: Tuning) -> int:
    """Into how many bands the outputs of a call are cut, in each of which weights are widened once; 1 for a stage that
    is not computed so."""
    needed = room(program, stage, tuning)
    band = needed.band(_words(stage, needed)) if needed is not None else 0
    return -(-needed.count // band) if needed is not None and band else 1


def _words(stage: Stage, needed: Room) -> int:
    """The words that a stage has, in the arena or on the stack; 0 for too few."""
    words = stage.scratch_size if stage.kernel.has_spare else 0
    return words if needed.band(words) else needed.on_stack


def _here(unit: TranslationUnit, stage: Stage, op: Op) -> bool:
    return is_mac16(unit.program, stage, unit.tuning)


@singledispatch
def _room(op: Op, program: RowProgram, stage: Stage) -> Room | None:
    return None


@_room.register(QConv2d)
@_room.register(QDense)
def _room_for_pixels(op: QConv2d | QDense, program: RowProgram, stage: Stage) -> Room | None:
    """A word in front, the weights of an output channel, and the elements of pixels."""
    joint = op.joint_weights()
    elements = joint.type.size // joint.shape[0] if joint is not None else 0
    if elements < _FEWEST or _bound(program, op) is None:
        return None
    return Room(1 + 2 * _quads(elements), 2 * _quads(elements), pixels(stage))


@_room.register
def _room_for_columns(op: QDepthwiseConv2d, program: RowProgram, stage: Stage) -> Room | None:
    """A word in front, and two for each row of the columns of outputs of a row."""
    bound = _bound(program, op)
    if not op.may_overwrite_row() or bound is None or bound >= NARROW:
        return None
    stride = op.strides[1]
    return Room(1 + 6 * (3 - stride), 6 * stride, op.type.shape[2])


def _bound(program: RowProgram, op: IntegerLayer) -> int | None:
    """How large sums can be; None where weights or biases are computed."""
    weights, bias = constant(program, op.w), constant(program, op.b)
    if weights is None or bias is None or op.is_wide():
        return None
    return int(fixed_point.accumulator_bound(weights, bias, op.output_axis).max())


def _quads(elements: int) -> int:
    return -(-elements // 4)


def words_of_weights(weights: Array, exchanged: bool) -> Array:
    """Int8 weights [outputs, elements], four in a word, [outputs, words], with zeros behind. `exchanged` exchanges the
    second and the third of four: for elements that lie in memory in their own order."""
    outputs, elements = weights.shape
    padded = np.zeros((outputs, _quads(elements) * 4), np.uint8)
    padded[:, :elements] = weights.view(np.uint8)
    fours = padded.reshape(outputs, -1, 4).astype(np.uint32)
    if exchanged:
        fours = fours[:, :, [0, 2, 1, 3]]
    words: Array = np.bitwise_or.reduce(fours << np.array([0, 8, 16, 24], np.uint32), axis=2)
    return words.view(np.int32)


@dataclass(frozen=True)
class _Layer:
    """Arguments of a kernel, whether sums take more than 32 bits, outputs of a band, and the definition of memory that
    lies on the stack."""

    vectors: LayerArguments
    wide: bool
    band: int
    local: str


def _layer(unit: TranslationUnit, stage: Stage, op: IntegerLayer, flat: Array, exchanged: bool) -> _Layer:
    """What the kernel of a layer takes with weights [outputs, elements] in its order, the memory behind the shifts."""
    bias, needed = unit.constant(op.b), room(unit.program, stage, unit.tuning)
    assert bias is not None
    assert needed is not None
    count = _words(stage, needed)
    in_arena = 0 < stage.scratch_size == count
    place: Parameter = (("int32_t *", "words"), Scratch()) if in_arena else (("", "words"), None)
    layer = of_words(unit, stage, op, None)
    bound = _bound(unit.program, op)
    wide = bound is None or bound >= NARROW
    # Elements have 128 added. A sum is what it is to be modulo 2^32, whatever it begins with.
    moved = bias.astype(np.int64) - 128 * flat.astype(np.int64).sum(axis=1)
    starts = (moved * (1 if wide else 256)).astype(np.int32)
    words = unit.constants.symbol(words_of_weights(flat, exchanged), f"{op.w.name}_words", "weights, four in a word")
    begin = unit.constants.symbol(starts, f"{op.b.name}_moved", "for elements with 128 added")
    changed: tuple[Parameter, ...] = (
        ((pointer(DType.I32), "w"), words),
        ((pointer(DType.I32), "bias"), begin),
        *layer.taken[2:],
        place,
    )
    local = "" if in_arena else f"int32_t words[{count}];"
    return _Layer(LayerArguments(changed, layer.literals), wide, needed.band(count), local)


def _weights(unit: TranslationUnit, op: IntegerLayer) -> Array:
    array = unit.constant(op.w)
    assert array is not None
    return array


def _call(
    unit: TranslationUnit,
    hint: str,
    kernel: str,
    parameters: list[tuple[str, str]],
    arguments: list[Argument],
    layer: _Layer,
    geometry: dict[str, int],
    long_rows: bool = False,
) -> RowCall:
    """The call of a kernel: first arguments, those of the layer, geometry, literals."""
    literals = [*((name, str(value)) for name, value in geometry.items()), *layer.vectors.literals]
    taken, handed = [*parameters, *layer.vectors.parameters], unit.tuning.handed(kernel)
    function, values = shared(unit, hint, kernel, DType.I8, taken, literals, handed, layer.local)
    return RowCall(function, (*arguments, *layer.vectors.arguments, *values), long_rows=long_rows)


@emits(QDense, where=_here)
def emit_dense(unit: TranslationUnit, stage: Stage, op: QDense) -> RowCall:
    """A dense layer: every row of x is what a pixel is to a pointwise convolution."""
    return _pointwise(unit, stage, op, _weights(unit, op))


@emits(QConv2d, where=_here)
def emit_conv2d(unit: TranslationUnit, stage: Stage, op: QConv2d) -> RowCall:
    """A convolution, one row at a time unless it sees pixels alone."""
    weights = _weights(unit, op)
    flat = weights.reshape(len(weights), -1)
    if op.per_pixel():
        return _pointwise(unit, stage, op, flat)
    layer = _layer(unit, stage, op, flat, exchanged=True)
    kh, kw = op.window()
    geometry = {
        "band": layer.band,
        "width": op.x.shape[2],
        "channels": op.x.shape[3],
        "out_width": op.type.shape[2],
        "outputs": op.type.shape[3],
        "kh": kh,
        "kw": kw,
        "stride": op.strides[1],
        "dilation": op.dilations[1],
        "left": op.pads[1],
        "wide": int(layer.wide),
    }
    parameters = [("const int8_t **", "rows"), ("", "NULL")]
    arguments: list[Argument] = [Rows(0)]
    if leaves_columns(op):
        parameters[1] = (pointer(DType.I8), "pad")
        arguments.append(unit.constants.pad_row(DType.I8, op.zero, op.x.shape[3]))
    return _call(unit, f"qconv{kh}x{kw}", "qmac16_conv2d", parameters, arguments, layer, geometry)


def _pointwise(unit: TranslationUnit, stage: Stage, op: QConv2d | QDense, flat: Array) -> RowCall:
    layer = _layer(unit, stage, op, flat, exchanged=False)
    outputs, elements = flat.shape
    geometry = {
        "pixels": pixels(stage),
        "band": layer.band,
        "quads": _quads(elements),
        "extra": (elements - 1) % 4 + 1,
        "outputs": outputs,
        "wide": int(layer.wide),
    }
    parameters = [(pointer(DType.I8), "x")]
    return _call(unit, "qpointwise", "qmac16_pointwise", parameters, [Pointer(0)], layer, geometry, long_rows=True)


@emits(QDepthwiseConv2d, where=_here)
def emit_depthwise(unit: TranslationUnit, stage: Stage, op: QDepthwiseConv2d) -> RowCall:
    """A depthwise convolution of 3x3."""
    # By columns, as they lie in memory.
    flat = _weights(unit, op).transpose(2, 1, 0).reshape(-1, 9)
    layer = _layer(unit, stage, op, flat, exchanged=True)
    geometry = {
        "band": layer.band,
        "width": op.x.shape[2],
        "channels": op.x.shape[3],
        "out_width": op.type.shape[2],
        "stride": op.strides[1],
        "left": op.pads[1],
        "fill": op.zero,
    }
    parameters = [("const int8_t **", "rows")]
    return _call(unit, "qdepthwise3x3", "qmac16_depthwise3x3", parameters, [Rows(0)], layer, geometry)
