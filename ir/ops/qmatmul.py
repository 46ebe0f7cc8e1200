"""Integer matrix products of two activations, as attention has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import Value
from tinyc.ir.ops.int8 import (
    ACTIVATIONS,
    OneFactor,
    check_activation,
    drawn_multiplier,
    drawn_result,
    drawn_shift,
    drawn_zero,
    furthest,
)
from tinyc.ir.ops.linear import MOST_PRODUCTS, MatrixProduct
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


@dataclass(frozen=True)
class QMatMul(MatrixProduct, OneFactor, mnemonic="qmatmul"):
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
        y, inner = cls.drawn(draw, x, draw.choice(ACTIVATIONS)), x.shape[-1]
        zeros, result = (drawn_zero(draw, x.dtype), drawn_zero(draw, y.dtype)), drawn_result(draw)
        wide = DType.I16 in (x.dtype, y.dtype, result["to"])
        bound = furthest(x.dtype, zeros[0]) * furthest(y.dtype, zeros[1]) * inner
        factor = drawn_multiplier(draw), drawn_shift(draw, max(bound // 13, 1), bound, result["to"], wide)
        return cls(x, y, *zeros, *factor, **result)

    def infer(self) -> TensorType:
        check_activation(self.x, self.x_zero)
        check_activation(self.y, self.y_zero)
        self.check_result()
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
