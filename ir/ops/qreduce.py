"""Integer sums over dimensions that follow each other. Those over rows and columns that are gathered are `qmean`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import Value
from tinyc.ir.ops.int8 import ACTIVATIONS, OneFactor, OverAxes, check_activation, drawn_sum, furthest
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


@dataclass(frozen=True)
class QSum(OverAxes, OneFactor, mnemonic="qsum"):
    """Integer sum or mean over `axes`, ascending and without a gap, which stay with size 1.

    y = clamp(requantise(sum of (x - zero), multiplier, shift) + out_zero, min, max); of a mean, 1 / count is in the
    multiplier. Operand and result are int8 or int16, each for itself.
    """

    x: Value
    axes: tuple[int, ...]
    zero: int
    multiplier: int
    shift: int
    out_zero: int = 0
    min: int = -128
    max: int = 127
    to: DType = DType.I8

    @classmethod
    def sample(cls, draw: Draw) -> QSum:
        x = draw.value(ACTIVATIONS, 1)
        axes = cls.drawn_axes(draw, x)
        return cls(x, axes, **drawn_sum(draw, x.dtype, math.prod(x.shape[a] for a in axes)))

    def infer(self) -> TensorType:
        check_activation(self.x, self.zero)
        self.check_result()
        self.check_axes()
        if not self.count():
            raise IRError(f"a sum over no elements of {self.x.type}")
        self.check_sums(30, self.bound())
        return TensorType(tuple(1 if d in self.axes else n for d, n in enumerate(self.x.shape)), self.to)

    def bound(self) -> int:
        """The largest possible size of a sum."""
        return furthest(self.x.dtype, self.zero) * self.count()

    def evaluate(self, *operands: Array) -> Array:
        total = (operands[0].astype(np.int64) - self.zero).sum(axis=self.axes, keepdims=True)
        return self.narrowed(total)
