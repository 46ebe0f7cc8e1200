"""The shares that integer layers have in a network, by what code of their own is for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import singledispatch

import numpy as np

from tinyc.backends.c.tuned import pixels, shape_of
from tinyc.backends.libraries.operands import constant
from tinyc.ir.op import Op
from tinyc.ir.ops.qconv import QDepthwiseConv2d
from tinyc.ir.rows import RowProgram

LARGE = 18_000_000
"""Multiply-accumulates of a network that count as much as more of them: layers with a quarter of these save about 250
instructions for each byte that a function of their own takes."""


SMALL = 0.003
"""The part of a network's multiply-accumulates up to which a depthwise layer shares code with such layers of other
channels: they take some 8 % more instructions so, and 580 bytes less each on rv32imc."""

LARGEST = 2**29
"""What multipliers are smaller than of which four times as much is handed over."""

Kind = tuple[int, ...]


@dataclass(frozen=True)
class Shares:
    """Multiply-accumulates of a program: of all pointwise integer layers that have a tile of pixels by their inputs, of
    those whose weights are paired by their pixels, and of all operators; and the channels of small depthwise layers by
    what such layers have in common."""

    inputs: Counter[int] = field(default_factory=Counter)
    pixels: Counter[int] = field(default_factory=Counter)
    all: int = 0
    channels: dict[Kind, set[int]] = field(default_factory=dict)

    def with_channels(self, program: RowProgram, op: Op) -> bool:
        """Whether a depthwise layer and others of other channels are small enough to share code."""
        return self.small(op) and len(self.channels.get(_kind(op, program), ())) > 1

    def small(self, op: Op) -> bool:
        """Whether an operator counts little."""
        return op.macs() <= SMALL * self.all

    def with_inputs(self, inputs: int) -> float:
        """The part of the network, as far as its size matters, in layers with so many inputs."""
        return self.inputs[inputs] / max(min(self.all, LARGE), 1)

    def with_rests(self, tile: int, count: int) -> float:
        """The part in paired layers of so many pixels, if tiles of `tile` leave more of them over than tiles of one
        less."""
        return self.pixels[count] / max(self.all, 1) if leaves_fewer(tile, count) else 0.0


def shares_of(program: RowProgram, tile: int) -> Shares:
    """The shares in a program with tiles of so many pixels."""
    found = Shares(all=program.macs())
    for stage in program.stages:
        kind = _kind(stage.op, program) if found.small(stage.op) else ()
        if kind:
            found.channels.setdefault(kind, set()).add(stage.op.type.shape[3])
        shape = shape_of(stage)
        if shape is not None and shape.kind == "qpointwise":
            if pixels(stage) >= tile:
                found.inputs[shape.by_name["inputs"]] += stage.op.macs()
            if stage.kernel.has_spare:
                found.pixels[pixels(stage)] += stage.op.macs()
    return found


@singledispatch
def _kind(op: Op, program: RowProgram) -> Kind:
    """What small depthwise layers that share code have in common; nothing of another operator."""
    return ()


@_kind.register
def _of_depthwise(op: QDepthwiseConv2d, program: RowProgram) -> Kind:
    multiplier, shift = constant(program, op.multiplier), constant(program, op.shift)
    if multiplier is None or shift is None or op.is_wide():
        return ()
    result = op.zero, op.out_zero, op.min, op.max
    form = int(np.any(shift)), int(np.any(multiplier >= LARGEST))
    return (*op.window(), *op.strides, *op.dilations, *op.pads, op.x.shape[2], op.type.shape[2], *result, *form)


def leaves_fewer(tile: int, count: int) -> bool:
    """Whether tiles of one pixel less leave fewer of so many over."""
    return tile > 2 and count % (tile - 1) < count % tile
