"""Which integer layers can have the products of two output channels from one multiplication, and which gain by it.

Two weights lie in one 32-bit word, first + 65536 * second. A multiplication by an element gives both products at once,
and two elements are added before the sums are taken apart: exact where the weights of a channel for two elements that
follow each other are together at most 255 in size, for |x| is at most 128. The words are made from the weights for
each block of four channels, in scratch memory, each time that the layer is computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.backends.c.tuned import KINDS, pixels, shape_of
from tinyc.backends.c.tuning import Tuning
from tinyc.backends.libraries.operands import constant
from tinyc.ir.rows import RowProgram, Stage
from tinyc.ir.tensor import Array

LANES = 4
LARGEST = 255
"""The largest size of two weights together: 128 times as much fits 16 bits."""
LEAST_PIXELS, LEAST_ELEMENTS = 12, 16
"""What a call computes at least, and how many products a sum has: with fewer, making the words takes as many
instructions as they save."""


def paired(weights: Array) -> bool:
    """Whether the products of neighbours fit: weights [outputs, ..., elements that follow each other]."""
    sizes = np.abs(weights.astype(np.int64))
    return bool(np.all(sizes[..., :-1] + sizes[..., 1:] <= LARGEST)) and bool(np.all(sizes <= LARGEST))


@dataclass(frozen=True)
class PairedWords:
    """The words of scratch memory that the kernel of a stage can use: two for each product of a sum, 0 for none."""

    tuning: Tuning

    def __call__(self, program: RowProgram, stage: Stage) -> int:
        sums = _sums(stage)
        if sums is None or sums.outputs < LANES or not self._pays(stage, sums.elements):
            return 0
        weights = constant(program, stage.op.operands[1])
        fits = weights is not None and paired(weights.reshape(sums.outputs, sums.rows, -1))
        return 2 * sums.elements if fits else 0

    def _pays(self, stage: Stage, elements: int) -> bool:
        """Whether a stage gains by it, as was measured, or else by the rule."""
        if not self.tuning.pairs:
            return False
        measured = self.tuning.choices.find(stage).paired_tile
        if measured is not None:
            return measured > 0
        return bool(self.tuning.paired_tile) and elements >= LEAST_ELEMENTS and pixels(stage) >= LEAST_PIXELS


@dataclass(frozen=True)
class _Sums:
    """Output channels, products of a sum, and rows of the window that they come from."""

    outputs: int
    elements: int
    rows: int


def _sums(stage: Stage) -> _Sums | None:
    """What a stage adds up; None for one whose kernel does not pair."""
    shape = shape_of(stage)
    if shape is None or not KINDS[shape.kind].pairs:
        return None
    sizes = shape.by_name
    if "inputs" in sizes:
        return _Sums(sizes["outputs"], sizes["inputs"], 1)
    elements = sizes["kh"] * sizes["kw"] * sizes["channels"]
    return _Sums(sizes["outputs"], elements, sizes["kh"]) if sizes["groups"] == 1 else None
