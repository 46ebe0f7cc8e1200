"""Integer averages. The largest of a window is `max_pool2d`, which takes int8 as it is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tinyc.ir import fixed_point
from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import Op, Value
from tinyc.ir.ops.conv import patches
from tinyc.ir.ops.int8 import (
    ACTIVATIONS,
    Int8,
    OneFactor,
    check_activation,
    check_output,
    drawn_result,
    drawn_sum,
    furthest,
)
from tinyc.ir.ops.pool import Pool
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

MOST_AVERAGED = 2**16 - 1
"""Elements of a window of an average, at most: int32 holds their sum."""


class RunningSum(Op):
    """Base of means of integers over rows and columns, which gather rows in int32, a sum a channel."""

    x: Value

    def gathered(self) -> TensorType | None:
        """The sums, where int32 holds them."""
        x = self.x
        if x.type.size // max(x.shape[3], 1) * -x.dtype.limits[0] > fixed_point.INT32[1]:
            return None
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
    """Average of the elements of each window that lie inside the operand, rounded half away from zero, limited.

    Operand and result have one type, int8 or int16, one scale and one zero point.
    """

    min: int = -128
    max: int = 127

    @classmethod
    def sample(cls, draw: Draw) -> Pool:
        made = super().sample(draw)
        limits = drawn_result(draw, (made.x.dtype,))
        return dataclasses.replace(made, **cast("Any", {"min": limits["min"], "max": limits["max"]}))

    def infer(self) -> TensorType:
        check_activation(self.x)
        check_output(self.x.dtype, self.min, self.max)
        if self.kernel and math.prod(self.kernel) > MOST_AVERAGED:
            raise IRError(f"a window of {list(self.kernel)} has more than {MOST_AVERAGED} elements")
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
        return np.asarray(np.clip(average, self.min, self.max).astype(self.x.dtype.numpy))

    def gathered(self) -> TensorType | None:
        return super().gathered() if self.is_global() else None


@dataclass(frozen=True)
class QMean(RunningSum, OneFactor, mnemonic="qmean"):
    """Integer mean over rows and columns of an NHWC operand (global average pooling), to another scale.

    y = clamp(requantise(sum of (x - zero), multiplier, shift) + out_zero, min, max); 1 / (H * W) is in the multiplier.
    Operand and result are int8 or int16, each for itself.
    """

    x: Value
    zero: int
    multiplier: int
    shift: int
    out_zero: int = 0
    min: int = -128
    max: int = 127
    to: DType = DType.I8

    @classmethod
    def sample(cls, draw: Draw) -> QMean:
        x = draw.image(ACTIVATIONS, channels=9)
        return cls(x, **drawn_sum(draw, x.dtype, x.shape[1] * x.shape[2]))

    def infer(self) -> TensorType:
        check_activation(self.x, self.zero)
        self.check_result()
        if self.x.type.rank != 4 or self.x.shape[1] * self.x.shape[2] == 0:
            raise IRError(f"takes an NHWC operand of 4 dimensions, not {self.x.type}")
        self.check_sums(30, self.bound())
        return TensorType((self.x.shape[0], 1, 1, self.x.shape[3]), self.to)

    def bound(self) -> int:
        """The largest possible size of a sum."""
        return furthest(self.x.dtype, self.zero) * self.x.shape[1] * self.x.shape[2]

    def evaluate(self, *operands: Array) -> Array:
        return self.mean(operands[0].astype(np.int64).sum(axis=(1, 2), keepdims=True))

    def mean(self, total: Array) -> Array:
        centred = total.astype(np.int64) - self.x.shape[1] * self.x.shape[2] * self.zero
        return self.narrowed(centred)

    def runs_whole(self) -> bool:
        return True
