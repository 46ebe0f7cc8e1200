"""Which integer layers can have the products of two output channels from one multiplication, and which gain by it.

Two weights lie in one 32-bit word, first + 65536 * second. A multiplication by an element gives both products at once,
and two elements are added before the sums are taken apart: exact where the weights of a channel for two elements that
follow each other are together at most 255 in size, for |x| is at most 128. The words are made from the weights for
each block of four channels, in scratch memory, each time that the layer is computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinyc.backends.c.tuned import pixels
from tinyc.backends.c.tuning import Tuning
from tinyc.backends.libraries.operands import constant
from tinyc.ir.op import Op
from tinyc.ir.ops import QConv2d, QDense
from tinyc.ir.ops.layer import IntegerLayer
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
        op = stage.op
        shape = _shape(op)
        if shape is None or shape[0] < LANES or not self._pays(stage, shape[1]):
            return 0
        assert isinstance(op, IntegerLayer)
        weights = constant(program, op.w)
        return 2 * shape[1] if weights is not None and paired(weights.reshape(shape[0], shape[2], -1)) else 0

    def _pays(self, stage: Stage, elements: int) -> bool:
        """Whether a stage gains by it, as was measured, or else by the rule."""
        if not self.tuning.pairs:
            return False
        measured = self.tuning.choices.find(stage).paired_tile
        if measured is not None:
            return measured > 0
        return bool(self.tuning.paired_tile) and elements >= LEAST_ELEMENTS and pixels(stage) >= LEAST_PIXELS


def _shape(op: Op) -> tuple[int, int, int] | None:
    """Output channels, products of a sum, and rows of the window; None for an operator that does not pair."""
    if isinstance(op, QConv2d) and op.groups == 1:
        outputs, kh, kw, inputs = op.w.shape
        return outputs, kh * kw * inputs, kh
    if isinstance(op, QDense):
        return op.w.shape[0], math.prod(op.w.shape[1:]), 1
    return None
