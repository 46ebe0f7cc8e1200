"""Constants: weights and folded values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.op import Op
from tinyc.ir.tensor import Array, Tensor
from tinyc.ir.types import TensorType


def fits_4_bits(array: Array) -> bool:
    """Whether all of some integers lie within -8..7, so that two fit a byte."""
    return bool(array.size) and bool(np.all((array >= -8) & (array <= 7)))


@dataclass(frozen=True)
class Constant(Op, mnemonic="constant"):
    """A value known at compile time. The text form writes small data in place and names large data."""

    data: Tensor

    @classmethod
    def sample(cls, draw: Draw) -> Constant:
        return cls(Tensor(draw.array(TensorType(draw.shape(), draw.dtype()))))

    def infer(self) -> TensorType:
        return self.data.type

    def constant(self) -> Array | None:
        return self.data.array

    def evaluate(self, *operands: Array) -> Array:
        return self.data.array
