"""The shares that pointwise integer layers have in a network, by what code of their own is for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tinyc.backends.c.tuned import pixels, shape_of
from tinyc.ir.rows import RowProgram

LARGE = 18_000_000
"""Multiply-accumulates of a network that count as much as more of them: layers with a quarter of these save about 250
instructions for each byte that a function of their own takes."""


@dataclass(frozen=True)
class Shares:
    """Multiply-accumulates of a program: of all pointwise integer layers that have a tile of pixels by their inputs, of
    those whose weights are paired by their pixels, and of all operators."""

    inputs: Counter[int] = field(default_factory=Counter)
    pixels: Counter[int] = field(default_factory=Counter)
    all: int = 0

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
        shape = shape_of(stage)
        if shape is not None and shape.kind == "qpointwise":
            if pixels(stage) >= tile:
                found.inputs[shape.by_name["inputs"]] += stage.op.macs()
            if stage.kernel.has_spare:
                found.pixels[pixels(stage)] += stage.op.macs()
    return found


def leaves_fewer(tile: int, count: int) -> bool:
    """Whether tiles of one pixel less leave fewer of so many over."""
    return tile > 2 and count % (tile - 1) < count % tile
