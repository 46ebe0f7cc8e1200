"""Requantisation of integer layers: its constants, and short ones in place of them.

A network that tinyc quantised has multipliers of one byte and biases of 16 bits, each times a power of two that all
channels of a layer have in common. They are then 3 bytes a channel instead of 8. Kernels widen them once a call, those
of depthwise layers once a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from tinyc.backends.c.shares import LARGEST
from tinyc.backends.c.source import CodegenError
from tinyc.backends.c.unit import TranslationUnit
from tinyc.backends.libraries.operands import constant
from tinyc.ir import fixed_point
from tinyc.ir.op import Op, Value
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.rows import RowProgram, Stage
from tinyc.ir.tensor import Array

SHIFTS = "shifts"
"""A literal of kernels: by how much constants are shifted to the left."""
_CALL, _ROW, _SAVED = 16.0, 2.0, 5
"""Instructions for the short constants of a channel, in a call and in a row of a depthwise layer, as counted on rv32imc
for Mobile-LeNet, DS-CNN and MobileNetV2; and the bytes that they save."""
_WORTH = 20
"""Instructions of an inference that a byte is worth."""
_MOST_LONG = 0.25
"""The part of the channels, at most, whose layers need long constants: layers with others share no functions."""


def requantisation(program: RowProgram, stage: Stage, op: IntegerLayer) -> tuple[Array, Array, Array]:
    """The multiplier and the shift of each output channel, and the largest size of its sums. Raises `CodegenError` as
    `weighted` does."""
    multiplier = known(program, stage, op.multiplier)
    shift = known(program, stage, op.shift)
    if np.any(shift):
        # Whatever the shift, nothing comes of a multiplier of zero; a negative one keeps the layer in the short form.
        shift = np.where(multiplier == 0, -1, shift)
    w, b = known(program, stage, op.w), known(program, stage, op.b)
    bound = op.bounds(w, b)
    if np.any(multiplier < 0) or np.any(shift < -31) or np.any(shift > 30):
        raise CodegenError(f"{stage.where}: multipliers are not negative and shifts are -31 to 30")
    if not fixed_point.fits(bound, shift, op.is_wide()):
        channel = int(np.argmax(bound * 2.0 ** np.maximum(shift, 0)))
        raise CodegenError(
            f"{stage.where}: sums of output channel {channel} (up to {bound[channel]}, shifted left by "
            f"{max(int(shift[channel]), 0)}) may overflow int32; keep this layer in floating point"
        )
    return multiplier, shift, np.asarray(bound)


def known(program: RowProgram, stage: Stage, value: Value) -> Array:
    """The constant that a layer needs one to be. Raises `CodegenError` where it is computed."""
    array = constant(program, value)
    if array is None:
        raise CodegenError(f"{stage.where}: {value} is computed; weights of integer layers have to be constants")
    return array


@dataclass(frozen=True)
class ShortConstants:
    """Biases and multipliers of a layer, to be shifted to the left; multipliers are then four times the real ones."""

    biases: Array
    bias_left: int
    multipliers: Array
    multiplier_left: int

    @property
    def shifts(self) -> int:
        """Both distances, as `channel_i8.h` takes them."""
        return self.bias_left + 32 * self.multiplier_left


def short_constants(program: RowProgram, stage: Stage, op: IntegerLayer) -> ShortConstants | None:
    """The short constants of a layer's stage; None where they are too long, or results need a shift."""
    multiplier, shift, _ = requantisation(program, stage, op)
    bias = known(program, stage, op.b)
    if np.any(shift != 0) or np.any(multiplier >= LARGEST):
        return None
    places, left = min(_trailing_zeros(multiplier), 20), min(_trailing_zeros(bias), 15)
    multipliers, biases = multiplier.astype(np.int64) >> places, bias.astype(np.int64) >> left
    if np.any(multipliers > fixed_point.BYTE) or np.any(np.abs(biases) >= 2**15):
        return None
    return ShortConstants(biases.astype(np.int16), left, multipliers.astype(np.uint8), places + 2)


def takes_short(unit: TranslationUnit) -> bool:
    """Whether the layers of a program take short constants where they can: most of them can, and the bytes saved are
    worth the instructions, or are all that the code is tuned for."""
    if unit.widening is None:
        unit.widening = _widening(unit)
    return unit.widening > 0


def widening(unit: TranslationUnit) -> int:
    """Instructions of an inference, estimated, that short constants take; 0 where there are none."""
    return round(unit.widening or 0)


def _widening(unit: TranslationUnit) -> float:
    """What short constants take where they pay, 0 where they do not."""
    tuning = unit.tuning
    if tuning.optimize == "speed" or tuning.pie or tuning.mac16:
        # Kernels of such cores have tables of their own.
        return 0.0
    layers = [c for stage in unit.program.stages if (c := _channels(stage.op, unit, stage)) is not None]
    channels = sum(layer.short for layer in layers)
    if not channels or channels < (1 - _MOST_LONG) * sum(layer.all for layer in layers):
        return 0.0
    instructions = sum(layer.instructions for layer in layers)
    return instructions if tuning.optimize == "size" or instructions <= _WORTH * _SAVED * channels else 0.0


@dataclass(frozen=True)
class _Channels:
    """The output channels of a layer, those that can have short constants, and what these take."""

    all: int
    short: int = 0
    instructions: float = 0.0


@singledispatch
def _channels(op: Op, unit: TranslationUnit, stage: Stage) -> _Channels | None:
    return None


@_channels.register
def _channels_of_layer(op: IntegerLayer, unit: TranslationUnit, stage: Stage) -> _Channels | None:
    if stage.kernel.library or op.is_wide():
        return None
    outputs = op.type.shape[-1]
    if short_constants(unit.program, stage, op) is None:
        return _Channels(outputs)
    each = _CALL * (stage.rows // stage.band) if op.joint_weights() is not None else _ROW * stage.rows
    return _Channels(outputs, outputs, outputs * each)


def _trailing_zeros(numbers: Array) -> int:
    """Of the bits of all of them together; 31 where all are 0."""
    bits = int(np.bitwise_or.reduce(np.abs(numbers.astype(np.int64)), axis=None))
    return (bits & -bits).bit_length() - 1 if bits else 31
