"""Integer averages. The largest of a window is `max_pool2d`, which takes int8 as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import Op, Value
from tinyc.ir.ops.conv import patches
from tinyc.ir.ops.int8 import (
    Int8,
    OneFactor,
    check_factor,
    check_int8,
    check_limits,
    drawn_multiplier,
    drawn_output,
    drawn_shift,
    drawn_zero,
)
from tinyc.ir.ops.pool import Pool
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


class RunningSum(Op):
    """Base of means of int8 over rows and columns, which gather rows in int32, a sum a channel."""

    x: Value

    def gathered(self) -> TensorType | None:
        x = self.x
        return TensorType((1, 1, 1, x.shape[3]), DType.I32) if x.type.has_rows and x.shape[1] > 1 else None

    def mean(self, total: Array) -> Array:
        """The result for these sums, [N, 1, 1, C]."""
        raise NotImplementedError

    def gather(
        self, held: Array, operands: Sequence[Array], row: int, first: bool, last: bool, fused: bool | None = None
    ) -> Array:
        total = operands[0].sum(axis=(1, 2), keepdims=True, dtype=np.int32) + (0 if first else held)
        return self.mean(total) if last else np.asarray(total)


@dataclass(frozen=True)
class QAvgPool2d(RunningSum, Pool, Int8, mnemonic="qavg_pool2d"):
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
        return self._rounded(total, count)

    def mean(self, total: Array) -> Array:
        return self._rounded(total.astype(np.int64), np.asarray(self.kernel[0] * self.kernel[1]))

    def _rounded(self, total: Array, count: Array) -> Array:
        average = np.sign(total) * ((np.abs(total) + count // 2) // count)
        return np.asarray(np.clip(average, self.min, self.max).astype(np.int8))

    def gathered(self) -> TensorType | None:
        return super().gathered() if self.is_global() else None


@dataclass(frozen=True)
class QMean(RunningSum, OneFactor, mnemonic="qmean"):
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
        return self.mean(operands[0].astype(np.int64).sum(axis=(1, 2), keepdims=True))

    def mean(self, total: Array) -> Array:
        centred = total.astype(np.int64) - self.x.shape[1] * self.x.shape[2] * self.zero
        return self.narrowed(centred)

    def runs_whole(self) -> bool:
        return True
