"""Integer averages. The largest of a window is `max_pool2d`, which takes int8 as it is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import Value
from tinyc.ir.ops.conv import patches
from tinyc.ir.ops.int8 import (
    Int8,
    Requantised,
    check_factor,
    check_int8,
    check_limits,
    drawn_multiplier,
    drawn_output,
    drawn_shift,
    drawn_zero,
    narrow,
)
from tinyc.ir.ops.pool import Pool
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


@dataclass(frozen=True)
class QAvgPool2d(Pool, Int8, mnemonic="qavg_pool2d"):
    """int8 average of the elements of each window that lie inside the operand, rounded half away from zero, limited.

    Operand and result have one scale and zero point.
    """

    min: int = -128
    max: int = 127

    @classmethod
    def sample(cls, draw: Draw) -> Pool:
        limits = drawn_output(draw)
        del limits["out_zero"]
        return dataclasses.replace(super().sample(draw), **cast("Any", limits))

    def infer(self) -> TensorType:
        check_int8(self.x)
        check_limits(self.min, self.max)
        return super().infer()

    def evaluate(self, *operands: Array) -> Array:
        x = operands[0].astype(np.int64)
        total = np.asarray(sum(patches(self, x, 0)))
        count = np.asarray(sum(patches(self, np.ones_like(x), 0)))
        average = np.sign(total) * ((np.abs(total) + count // 2) // count)
        return np.asarray(np.clip(average, self.min, self.max).astype(np.int8))


@dataclass(frozen=True)
class QMean(Requantised, mnemonic="qmean"):
    """int8 mean over rows and columns of an NHWC operand (global average pooling), to another scale.

    y = clamp(requantise(sum of (x - zero), multiplier, shift) + out_zero, min, max); 1 / (H * W) is in the multiplier.
    """

    x: Value
    zero: int
    multiplier: int
    shift: int
    out_zero: int = 0
    min: int = -128
    max: int = 127

    @classmethod
    def sample(cls, draw: Draw) -> QMean:
        x = draw.image((DType.I8,), channels=9)
        elements = x.shape[1] * x.shape[2]
        factor = drawn_multiplier(draw), drawn_shift(draw, 70 * elements, 255 * elements)
        return cls(x, drawn_zero(draw), *factor, **drawn_output(draw))

    def infer(self) -> TensorType:
        check_int8(self.x)
        check_limits(self.min, self.max, self.zero, self.out_zero)
        if self.x.type.rank != 4 or self.x.shape[1] * self.x.shape[2] == 0:
            raise IRError(f"takes an NHWC operand of 4 dimensions, not {self.x.type}")
        check_factor(self.multiplier, self.shift, 30, 255 * self.x.shape[1] * self.x.shape[2])
        return TensorType((self.x.shape[0], 1, 1, self.x.shape[3]), DType.I8)

    def evaluate(self, *operands: Array) -> Array:
        total = (operands[0].astype(np.int64) - self.zero).sum(axis=(1, 2), keepdims=True)
        return narrow(total, self.multiplier, self.shift, self.out_zero, self.min, self.max)

    def runs_whole(self) -> bool:
        return True
