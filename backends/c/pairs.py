"""Which integer layers can have the products of two output channels from one multiplication, and which gain by it.

Two weights lie in one 32-bit word, first + 65536 * second. A multiplication by an element gives both products at once,
and two elements are added before the sums are taken apart: exact where the weights of a channel for two elements that
follow each other are together at most 255 in size, for |x| is at most 128. Elements follow each other within the whole
window: where a pixel's window reaches beside the row, it is copied and is one run. The words are made from the weights
for each block of four channels, in scratch memory, each time that the layer is computed.
"""

from __future__ import annotations

import math

import numpy as np

from tinyc.backends.c.tiles import LANES
from tinyc.backends.c.tuned import pixels
from tinyc.backends.c.tuning import DEFAULT, Tuning
from tinyc.backends.libraries.operands import constant
from tinyc.ir.rows import RowProgram, Stage
from tinyc.ir.tensor import Array

LARGEST = 255
"""The largest size of two weights together: 128 times as much fits 16 bits."""
LEAST_PIXELS, LEAST_ELEMENTS = 12, 16
"""What a call computes at least, and how many products a sum has: with fewer, making the words takes as many
instructions as they save."""


def paired(weights: Array) -> bool:
    """Whether the products of neighbours fit: int8 weights [outputs, elements that follow each other]."""
    sizes = np.abs(weights.astype(np.int64))
    return bool(np.all(sizes[:, :-1] + sizes[:, 1:] <= LARGEST))


def wanted_words(program: RowProgram, stage: Stage, tuning: Tuning = DEFAULT) -> int:
    """The words of scratch memory that the kernel of a stage can use: two for each product of a sum, 0 for none."""
    weights = stage.op.joint_weights()
    if weights is None or weights.shape[0] < LANES:
        return 0
    products = math.prod(weights.shape[1:])
    if not _pays(stage, products, tuning):
        return 0
    array = constant(program, weights)
    fits = array is not None and paired(array.reshape(weights.shape[0], products))
    return 2 * products if fits else 0


def _pays(stage: Stage, products: int, tuning: Tuning) -> bool:
    """Whether a stage gains by it, as was measured, or else by the rule."""
    if not tuning.pairs:
        return False
    measured = tuning.choices.find(stage).paired_tile
    if measured is not None:
        return measured > 0
    return products >= LEAST_ELEMENTS and pixels(stage) >= LEAST_PIXELS
