"""Integer matrix products of two activations, as attention has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import Value
from tinyc.ir.ops.int8 import ACTIVATIONS, OfPair, OneFactor, drawn_products
from tinyc.ir.ops.linear import MOST_PRODUCTS, MatrixProduct
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


@dataclass(frozen=True)
class QMatMul(MatrixProduct, OfPair, OneFactor, mnemonic="qmatmul"):
    """Integer matrix product of the last two dimensions; leading dimensions broadcast.

    requantise(sum of (x - x_zero) * (y - y_zero), multiplier, shift) + out_zero, limited. The sums are of at most 32768
    products. Operands and result are int8 or int16, each for itself.
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
    to: DType = DType.I8

    @classmethod
    def sample(cls, draw: Draw) -> QMatMul:
        x = draw.value(ACTIVATIONS, 2)
        y = cls.drawn(draw, x, draw.choice(ACTIVATIONS))
        return cls(x, y, **drawn_products(draw, x.dtype, y.dtype, x.shape[-1]))

    def infer(self) -> TensorType:
        self.check_types()
        type = TensorType(self.product_type(mixed=True).shape, self.to)
        if self.x.shape[-1] > MOST_PRODUCTS:
            raise IRError(f"sums of {self.x.shape[-1]} products may not fit int32: at most {MOST_PRODUCTS} do")
        self.check_sums(30, self.bound())
        return type

    def bound(self) -> int:
        """The largest possible size of a sum."""
        ends = ((v.dtype.limits, zero) for v, zero in ((self.x, self.x_zero), (self.y, self.y_zero)))
        far = (max(high - zero, zero - low) for (low, high), zero in ends)
        return self.x.shape[-1] * next(far) * next(far)

    def evaluate(self, *operands: Array) -> Array:
        # Sums below 2^53 are exact in float64, which numpy multiplies faster.
        x, y = (o.astype(np.float64) for o in operands)
        total = (x - self.x_zero) @ (y - self.y_zero)
        return self.narrowed(total.astype(np.int64))

    def runs_whole(self) -> bool:
        return True
