"""Integer sums of all elements up to each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.op import Value
from tinyc.ir.ops.along import Along, running_sums
from tinyc.ir.ops.int8 import ACTIVATIONS, OneFactor, check_activation, drawn_sum, furthest
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


@dataclass(frozen=True)
class QCumSum(OneFactor, Along, mnemonic="qcum_sum"):
    """Integer sums along `axis` of all elements up to each, without it if `exclusive`; `reverse` begins at the end.

    y = clamp(requantise(sum of (x - zero), multiplier, shift) + out_zero, min, max). Operand and result are int8 or
    int16, each for itself.
    """

    x: Value
    axis: int
    zero: int
    multiplier: int
    shift: int
    exclusive: bool = False
    reverse: bool = False
    out_zero: int = 0
    min: int = -128
    max: int = 127
    to: DType = DType.I8

    @classmethod
    def sample(cls, draw: Draw) -> QCumSum:
        x = draw.value(ACTIVATIONS, 1)
        axis = draw.random.randrange(x.type.rank)
        fields = drawn_sum(draw, x.dtype, x.shape[axis])
        return cls(x, axis, exclusive=draw.chance(0.3), reverse=draw.chance(0.3), **fields)

    def infer(self) -> TensorType:
        check_activation(self.x, self.zero)
        self.check_result()
        self.check_axis()
        self.check_sums(30, self.bound())
        return TensorType(self.x.shape, self.to)

    def bound(self) -> int:
        """The largest possible size of a sum."""
        return furthest(self.x.dtype, self.zero) * self.x.shape[self.axis]

    def runs_whole(self) -> bool:
        return True

    def evaluate(self, *operands: Array) -> Array:
        numbers = operands[0].astype(np.int64) - self.zero
        return self.narrowed(running_sums(numbers, self.axis, self.exclusive, self.reverse))
