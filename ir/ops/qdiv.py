"""Integer quotients of two activations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.ops.int8 import ACTIVATIONS, drawn_result, drawn_zero
from tinyc.ir.ops.qelementwise import OfTwo
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

MOST = 2**23 - 1
"""The largest factor: 255 times as much fits int32, with the half that rounds it."""
MOST_WIDE = 2**31 - 1
"""The same where int16 has a part in it: quotients are taken in int64."""
LEAST_PLACES, MOST_PLACES = 8, 22
"""Binary places of a factor. A quotient is cut off to so many: to 2^-8 of a step or less."""


@dataclass(frozen=True)
class QDiv(OfTwo, mnemonic="qdiv"):
    """Integer quotient of (x - x_zero) * factor * 2^-places and y - y_zero, moved by out_zero, limited.

    The quotient of (x - x_zero) * factor and y - y_zero is cut off to a whole number towards 0, and rounded to a
    multiple of 2^places, ties up. By 0, numbers above and below 0 give the limits, and 0 gives the integer 0, limited,
    which is what `quantize` makes of no number. y has the shape of x, or one entry for each entry of the last dimension
    of x ([1, ..., 1, C]). Operands and result are int8 or int16, each for itself.
    """

    factor: int
    places: int
    out_zero: int = 0
    min: int = -128
    max: int = 127
    to: DType = DType.I8

    @classmethod
    def sample(cls, draw: Draw) -> QDiv:
        x, y = cls.drawn(draw, ACTIVATIONS)
        zeros, result = (drawn_zero(draw, x.dtype), drawn_zero(draw, y.dtype)), drawn_result(draw)
        places = draw.integer(LEAST_PLACES, MOST_PLACES)
        bits = 31 if DType.I16 in (x.dtype, y.dtype, result["to"]) else 23
        factor = draw.integer(0, (1 << min(places + 8 * result["to"].bytes - 1, bits)) - 1)
        return cls(x, y, *zeros, factor, places, **result)

    def infer(self) -> TensorType:
        self.check_types()
        self.check_shapes()
        most = MOST_WIDE if self.is_wide() else MOST
        if not 0 <= self.factor <= most or not LEAST_PLACES <= self.places <= MOST_PLACES:
            raise IRError(
                f"a factor is 0 to {most} in {LEAST_PLACES} to {MOST_PLACES} places, not {self.factor} in {self.places}"
            )
        return TensorType(self.x.shape, self.to)

    def evaluate(self, *operands: Array) -> Array:
        x, y = self.aligned(operands)
        by, whole = y - self.y_zero, (x - self.x_zero) * self.factor
        cut = np.sign(whole) * np.sign(by) * (np.abs(whole) // np.maximum(np.abs(by), 1))
        steps = (cut + (1 << (self.places - 1))) >> self.places
        # So many either way are no nearer than any limit.
        result = np.where(by == 0, -self.to.limits[0] * np.sign(x - self.x_zero), steps + self.out_zero)
        return np.asarray(np.clip(result, self.min, self.max).astype(self.to.numpy))
