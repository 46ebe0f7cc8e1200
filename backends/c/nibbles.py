"""Weights of 4 bits: which integer layers have them two in a byte, and how they lie there.

What lies within -8..7 is known from the numbers: the IR has int8. Of whole blocks of four output channels, the weights
of an element are two bytes; the one to three channels that are left over keep bytes. Kernels take the halves apart in
registers, for all pixels of a tile at once, or where weights are paired into words of scratch memory.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from tinyc.backends.c.tiles import LANES
from tinyc.backends.c.tuning import Tuning
from tinyc.backends.libraries.operands import constant
from tinyc.ir.constant import fits_4_bits
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import QConv2d, QDense
from tinyc.ir.rows import RowProgram, Stage
from tinyc.ir.tensor import Array

RAISED = 0x88
"""What the bytes of paired weights are exclusively ored with: 8 added to either half."""


def has_nibbles(program: RowProgram, stage: Stage, tuning: Tuning) -> bool:
    """Whether the kernel of a stage takes weights of 4 bits. Those of a library and those for int16 do not, and for
    speed those that have vectors or MAC16 do not either: they are for layers whose weights shall take little flash."""
    if stage.kernel.library or (tuning.optimize == "speed" and (tuning.vectors or tuning.mac16)):
        return False
    weights = _weights(stage.op)
    array = constant(program, weights) if weights is not None else None
    return array is not None and fits_4_bits(array)


@singledispatch
def _weights(op: Op) -> Value | None:
    """The weights that may lie two in a byte."""
    return None


@_weights.register
def _of_dense(op: QDense) -> Value | None:
    return op.w if op.w.shape[0] >= LANES and not op.is_wide() else None


@_weights.register
def _of_convolution(op: QConv2d) -> Value | None:
    return op.w if op.w.shape[0] // op.groups >= LANES and not op.is_wide() else None


def in_halves(packed: Array, elements: int, outputs: int, groups: int, paired: bool) -> Array:
    """What `conv.pack` gives, with the weights of whole blocks two in a byte, that of the even lane in the lower half.

    Args:
        packed: int8, `groups` times `outputs` times `elements` of them.
        elements: of a window.
        outputs: channels of a group.
        groups: of a convolution.
        paired: whether weights are paired, and 8 is added to each.
    """
    whole = outputs // LANES * LANES * elements
    parts: list[Array] = []
    for group in packed.reshape(groups, -1):
        low, high = (group[k:whole:2].astype(np.uint8) for k in (0, 1))
        both = (low & 0xF) | (high << 4)
        parts += [(both ^ RAISED if paired else both).view(np.int8), group[whole:]]
    return np.concatenate(parts)
