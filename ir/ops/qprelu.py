"""Integer rectifiers with a slope for each channel. One with a slope for all is a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir import fixed_point
from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import OfRows, RowForm, Value, Window
from tinyc.ir.ops.int8 import OneFactor, check_factor, check_int8, check_limits, drawn_output, drawn_zero
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

STEEPEST = 2**15 - 1
"""The largest factor."""
LARGEST_RECTIFIED = 255 * 2**15
"""What no product is larger than."""


@dataclass(frozen=True)
class QPRelu(OfRows, OneFactor, mnemonic="qprelu"):
    """int8 rectifier: requantise(d * factor, multiplier, shift) + out_zero, limited, of d = x - zero.

    The factor is `above`, or where d is negative that of its channel (the last dimension) in `below`, int16.
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

    @classmethod
    def sample(cls, draw: Draw) -> QPRelu:
        x = draw.value((DType.I8,), 1)
        below = draw.given(np.array([draw.integer(-STEEPEST, STEEPEST) for _ in range(x.shape[-1])], np.int16))
        above = draw.choice([0, STEEPEST, draw.integer(0, STEEPEST)])
        factor = fixed_point.to_multiplier(2.0 ** -draw.integer(13, 17))
        return cls(x, below, drawn_zero(draw), above, *factor, **drawn_output(draw))

    def infer(self) -> TensorType:
        check_int8(self.x)
        check_limits(self.min, self.max, self.zero, self.out_zero)
        if self.x.type.rank < 1 or self.below.type != TensorType(self.x.shape[-1:], DType.I16):
            raise IRError(f"factors {self.below.type} are not int16 with one entry a channel of {self.x.type}")
        if not 0 <= self.above <= STEEPEST:
            raise IRError(f"a factor is 0 to {STEEPEST}, not {self.above}")
        check_factor(self.multiplier, self.shift, 7, LARGEST_RECTIFIED)
        return self.x.type

    def evaluate(self, *operands: Array) -> Array:
        x, below = (o.astype(np.int64) for o in operands)
        difference = x - self.zero
        product = difference * np.where(difference < 0, below, self.above)
        return self.narrowed(product)

    def may_overwrite(self, operand: int) -> bool:
        return operand == 0

    def runs_whole(self) -> bool:
        return True

    def row_form(self) -> RowForm | None:
        return RowForm((Window(), None)) if self.x.type.has_rows else None
