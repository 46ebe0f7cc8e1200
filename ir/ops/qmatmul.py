"""Integer matrix products of two activations, as attention has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import Value
from tinyc.ir.ops.int8 import (
    OneFactor,
    check_factor,
    check_int8,
    check_limits,
    drawn_multiplier,
    drawn_output,
    drawn_shift,
    drawn_zero,
)
from tinyc.ir.ops.linear import MOST_PRODUCTS, MatrixProduct
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


@dataclass(frozen=True)
class QMatMul(MatrixProduct, OneFactor, mnemonic="qmatmul"):
    """int8 matrix product of the last two dimensions; leading dimensions broadcast.

    requantise(sum of (x - x_zero) * (y - y_zero), multiplier, shift) + out_zero, limited. The sums are of at most 32768
    products.
    """

    x: Value
    y: Value
    x_zero: int
    y_zero: int
    multiplier: int
    shift: int
    out_zero: int = 0
    min: int = -128
    max: int = 127

    @classmethod
    def sample(cls, draw: Draw) -> QMatMul:
        x = draw.value((DType.I8,), 2)
        y, inner = cls.drawn(draw, x), x.shape[-1]
        zeros = drawn_zero(draw), drawn_zero(draw)
        factor = drawn_multiplier(draw), drawn_shift(draw, 5000 * inner, 255 * 255 * inner)
        return cls(x, y, *zeros, *factor, **drawn_output(draw))

    def infer(self) -> TensorType:
        check_int8(self.x, self.y)
        check_limits(self.min, self.max, self.x_zero, self.y_zero, self.out_zero)
        type = self.product_type()
        if self.x.shape[-1] > MOST_PRODUCTS:
            raise IRError(f"sums of {self.x.shape[-1]} products may not fit int32: at most {MOST_PRODUCTS} do")
        check_factor(self.multiplier, self.shift, 30, self.bound())
        return type

    def bound(self) -> int:
        """The largest possible size of a sum."""
        far = (max(127 - zero, zero + 128) for zero in (self.x_zero, self.y_zero))
        return self.x.shape[-1] * next(far) * next(far)

    def evaluate(self, *operands: Array) -> Array:
        # Sums below 2^53 are exact in float64, which numpy multiplies faster.
        x, y = (o.astype(np.float64) for o in operands)
        total = (x - self.x_zero) @ (y - self.y_zero)
        return self.narrowed(total.astype(np.int64))

    def runs_whole(self) -> bool:
        return True
