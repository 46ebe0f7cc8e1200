"""Integer rectifiers with a slope for each channel. One with a slope for all is a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir import fixed_point
from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import Value
from tinyc.ir.ops.int8 import ACTIVATIONS, OneFactor, RowByRow, check_activation, drawn_result, drawn_zero, furthest
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

STEEPEST = 2**15 - 1
"""The largest factor."""


@dataclass(frozen=True)
class QPRelu(RowByRow, OneFactor, mnemonic="qprelu"):
    """Integer rectifier: requantise(d * factor, multiplier, shift) + out_zero, limited, of d = x - zero.

    The factor is `above`, or where d is negative that of its channel (the last dimension) in `below`, int16. Operand
    and result are int8 or int16, each for itself.
    """

    x: Value
    below: Value
    zero: int
    above: int
    multiplier: int
    shift: int
    out_zero: int = 0
    min: int = -128
    max: int = 127
    to: DType = DType.I8

    @classmethod
    def sample(cls, draw: Draw) -> QPRelu:
        x, result = draw.value(ACTIVATIONS, 1), drawn_result(draw)
        below = draw.given(np.array([draw.integer(-STEEPEST, STEEPEST) for _ in range(x.shape[-1])], np.int16))
        above = draw.choice([0, STEEPEST, draw.integer(0, STEEPEST)])
        bits = 8 * (result["to"].bytes - x.dtype.bytes)
        factor = fixed_point.to_multiplier(2.0 ** (bits - draw.integer(13, 17)))
        return cls(x, below, drawn_zero(draw, x.dtype), above, *factor, **result)

    def infer(self) -> TensorType:
        check_activation(self.x, self.zero)
        self.check_result()
        if self.x.type.rank < 1 or self.below.type != TensorType(self.x.shape[-1:], DType.I16):
            raise IRError(f"factors {self.below.type} are not int16 with one entry a channel of {self.x.type}")
        if not 0 <= self.above <= STEEPEST:
            raise IRError(f"a factor is 0 to {STEEPEST}, not {self.above}")
        self.check_sums(7, self.bound())
        return TensorType(self.x.shape, self.to)

    def bound(self) -> int:
        """What no product is larger than."""
        return furthest(self.x.dtype, self.zero) * 2**15

    def evaluate(self, *operands: Array) -> Array:
        x, below = (o.astype(np.int64) for o in operands)
        difference = x - self.zero
        product = difference * np.where(difference < 0, below, self.above)
        return self.narrowed(product)
