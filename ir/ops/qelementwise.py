"""Integer operators that look at one element, or at one row of a softmax, at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyc.ir import fixed_point
from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import OfRows, RowForm, Value, Window
from tinyc.ir.ops.int8 import (
    ACTIVATIONS,
    Int8,
    OfElements,
    OfPair,
    OneFactor,
    RowByRow,
    check_activation,
    check_factor,
    check_int8,
    check_output,
    drawn_multiplier,
    drawn_output,
    drawn_products,
    drawn_result,
    drawn_zero,
    furthest,
    narrow,
)
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

WIDE_LEFT = 14
"""Bits that operands of a sum are shifted left by at most where one is int16: int32 holds the sum."""


def whole_sum(a: int, b: int, places: int) -> dict[str, int]:
    """Multipliers and shifts of a sum by whole factors of 2^-places, by the names that `QAdd` has for them."""
    unit = 1 << (31 - fixed_point.SUM_LEFT)
    multipliers = {"x_multiplier": a * unit, "y_multiplier": b * unit, "out_multiplier": 1 << (31 - places)}
    return {**multipliers, "x_shift": 0, "y_shift": 0, "out_shift": 0, "left": fixed_point.SUM_LEFT}


@dataclass(frozen=True)
class OfPlaces(OfRows, OfPair):
    """Base of those that make each element of the result of the elements in its place of two values."""

    x: Value
    y: Value
    x_zero: int
    y_zero: int

    def may_overwrite(self, operand: int) -> bool:
        return self.operands[operand].type == self.type

    def runs_whole(self) -> bool:
        return True

    def row_form(self) -> RowForm | None:
        if not self.x.type.has_rows:
            return None
        return RowForm((Window(), Window() if self.x.shape == self.y.shape else None))


@dataclass(frozen=True)
class QAdd(OfPlaces, mnemonic="qadd"):
    """Integer sum of two values of one shape with different scales, as TFLite and ESP-NN compute it.

    Each operand, less its zero point, is shifted left by `left` and requantised by its own (multiplier, shift); the sum
    is requantised by (out_multiplier, out_shift), moved by out_zero and limited. All shifts are at most 0. Operands and
    result are int8 or int16, each for itself; what is shifted left fits int32.
    """

    x_multiplier: int
    y_multiplier: int
    x_shift: int
    y_shift: int
    out_multiplier: int
    out_shift: int
    left: int = 20
    out_zero: int = 0
    min: int = -128
    max: int = 127
    to: DType = DType.I8

    @classmethod
    def sample(cls, draw: Draw) -> QAdd:
        x = draw.value(ACTIVATIONS)
        other = TensorType(x.shape, draw.choice(ACTIVATIONS))
        y = x if draw.chance(0.1) else draw.pick(lambda v: v.type == other, other)
        zeros: dict[str, Any] = {"x_zero": drawn_zero(draw, x.dtype), "y_zero": drawn_zero(draw, y.dtype)}
        whole = fixed_point.whole_factors(*(2.0 ** draw.random.uniform(-14, 5) for _ in "xy"))
        narrow = x.dtype is y.dtype is DType.I8
        if narrow and whole is not None and draw.chance(0.5):
            return cls(x, y, **(zeros | whole_sum(*whole) | drawn_output(draw)))
        left = draw.choice([20, 20, 20, 0, 22] if narrow else [WIDE_LEFT, WIDE_LEFT, 0])
        return cls(
            x,
            y,
            **zeros,
            x_multiplier=drawn_multiplier(draw),
            y_multiplier=drawn_multiplier(draw),
            x_shift=draw.choice([0, -1, -3, -31]),
            y_shift=draw.choice([0, -1, -2, -12]),
            out_multiplier=drawn_multiplier(draw),
            out_shift=draw.choice([0, -31]) if draw.chance(0.1) else -left + draw.integer(0, min(2, left)),
            left=left,
            **drawn_result(draw),
        )

    def infer(self) -> TensorType:
        self.check_types()
        if self.x.shape != self.y.shape:
            raise IRError(f"{self.x.type} and {self.y.type} differ in shape")
        most = WIDE_LEFT if DType.I16 in (self.x.dtype, self.y.dtype) else fixed_point.SUM_LEFT
        if not 0 <= self.left <= most:
            raise IRError(f"left is 0 to {most} (what int32 holds of a sum of two values), not {self.left}")
        x, y = furthest(self.x.dtype, self.x_zero), furthest(self.y.dtype, self.y_zero)
        check_factor(self.x_multiplier, self.x_shift, 0, x << self.left)
        check_factor(self.y_multiplier, self.y_shift, 0, y << self.left)
        check_factor(self.out_multiplier, self.out_shift, 0, (x + y) << self.left)
        return TensorType(self.x.shape, self.to)

    def evaluate(self, *operands: Array) -> Array:
        x = (operands[0].astype(np.int64) - self.x_zero) << self.left
        y = (operands[1].astype(np.int64) - self.y_zero) << self.left
        total = fixed_point.requantise(x, self.x_multiplier, self.x_shift)
        total = total + fixed_point.requantise(y, self.y_multiplier, self.y_shift)
        return narrow(total, self.out_multiplier, self.out_shift, self.out_zero, self.min, self.max, self.to)

    def whole(self) -> tuple[int, int, int, int] | None:
        """(a, b, start, places) where the result is (a * x + b * y + start) / 2^places, rounded down and limited, all
        of it in int32; None where rounding is more than that. `start` has the zero points and the half."""
        a = fixed_point.whole_factor(self.x_multiplier, self.x_shift, self.left)
        b = fixed_point.whole_factor(self.y_multiplier, self.y_shift, self.left)
        places = 32 - self.out_multiplier.bit_length()
        once = self.out_shift == 0 and self.out_multiplier << places == 1 << 31
        if a is None or b is None or not once or not fixed_point.sums_fit(a, b, places):
            return None
        if self.is_wide():
            return None
        half = 1 << (places - 1)
        return a, b, (self.out_zero << places) + half - self.x_zero * a - self.y_zero * b, places


@dataclass(frozen=True)
class OfTwo(OfPlaces):
    """Base of products and quotients of two values, y with the shape of x, or with one entry for each entry of the last
    dimension of x ([1, ..., 1, C])."""

    @staticmethod
    def drawn(draw: Draw, among: Sequence[DType] = (DType.I8,)) -> tuple[Value, Value]:
        """Random operands of these element types."""
        x, dtype = draw.value(among, 1), draw.choice(among)
        shape = (*(1 for _ in x.shape[1:]), x.shape[-1]) if draw.chance(0.4) else x.shape
        type = TensorType(shape, dtype)
        return x, draw.pick(lambda v: v.type == type, type)

    def check_shapes(self) -> None:
        """Raises `IRError` unless the operands' shapes fit each other."""
        if self.x.shape != self.y.shape and not self.per_channel():
            raise IRError(f"{self.y.type} is neither {self.x.type} nor one entry for each of its channels")

    def per_channel(self) -> bool:
        """Whether y has one entry a channel."""
        channels = self.x.shape[-1:]
        return bool(channels) and self.y.type.size == channels[0] and self.y.shape[-1:] == channels

    def aligned(self, operands: Sequence[Array]) -> tuple[Array, Array]:
        """The operands in int64, broadcasting."""
        x, y = (o.astype(np.int64) for o in operands)
        return x, y if self.x.shape == self.y.shape else y.reshape(-1)


@dataclass(frozen=True)
class QMul(OfTwo, OneFactor, mnemonic="qmul"):
    """Integer product: requantise((x - x_zero) * (y - y_zero), multiplier, shift) + out_zero, limited.

    y has the shape of x, or one entry for each entry of the last dimension of x ([1, ..., 1, C]). Operands and result
    are int8 or int16, each for itself.
    """

    multiplier: int
    shift: int
    out_zero: int = 0
    min: int = -128
    max: int = 127
    to: DType = DType.I8

    @classmethod
    def sample(cls, draw: Draw) -> QMul:
        x, y = cls.drawn(draw, ACTIVATIONS)
        return cls(x, y, **drawn_products(draw, x.dtype, y.dtype))

    def infer(self) -> TensorType:
        self.check_types()
        self.check_shapes()
        self.check_sums(30, self.bound())
        return TensorType(self.x.shape, self.to)

    def bound(self) -> int:
        """The largest possible size of a product."""
        return furthest(self.x.dtype, self.x_zero) * furthest(self.y.dtype, self.y_zero)

    def evaluate(self, *operands: Array) -> Array:
        x, y = self.aligned(operands)
        product = (x - self.x_zero) * (y - self.y_zero)
        return self.narrowed(product)


@dataclass(frozen=True)
class Lookup(OfElements, Int8, mnemonic="lookup"):
    """An elementwise function of an int8 value by table: y = table[x + 128]. The table has 256 entries, int8 or int16.

    Functions of int16 values are `interpolate`.
    """

    x: Value
    table: Value

    @classmethod
    def sample(cls, draw: Draw) -> Lookup:
        return cls(draw.value((DType.I8,)), draw.constant((256,), draw.choice(ACTIVATIONS)))

    def infer(self) -> TensorType:
        check_int8(self.x)
        check_activation(self.table)
        if self.table.shape != (256,):
            raise IRError(f"a table has 256 entries, not {self.table.type}")
        return TensorType(self.x.shape, self.table.dtype)

    def evaluate(self, *operands: Array) -> Array:
        return operands[1][operands[0].astype(np.int64) + 128]


@dataclass(frozen=True)
class QSoftmax(RowByRow, Int8, mnemonic="qsoftmax"):
    """Integer softmax along the last dimension, as TFLite and ESP-NN compute it. The result has scale 1/256 and zero
    -128, as int16 scale 1/32768 and zero 0.

    (multiplier, left) scale the difference to the maximum to Q5.26; differences below diff_min count as zero.
    """

    x: Value
    multiplier: int
    left: int
    diff_min: int
    to: DType = DType.I8

    @classmethod
    def sample(cls, draw: Draw) -> QSoftmax:
        x = draw.value(ACTIVATIONS, 1)
        scale = 2.0 ** draw.random.uniform(*((-14, 3) if x.dtype is DType.I8 else (-20, -4)))
        return cls(x, *fixed_point.softmax_scaling(scale), draw.choice(ACTIVATIONS))

    def is_wide(self) -> bool:
        """Whether int16 has a part in it."""
        return DType.I16 in (self.x.dtype, self.to)

    def infer(self) -> TensorType:
        check_activation(self.x)
        check_output(self.to, *self.to.limits)
        if self.x.type.rank < 1 or not 1 <= self.x.shape[-1] <= fixed_point.SOFTMAX_LARGEST:
            raise IRError(f"takes a last dimension of 1 to {fixed_point.SOFTMAX_LARGEST}, not {self.x.type}")
        if not 0 <= self.multiplier <= fixed_point.INT32[1] or not 0 <= self.left <= 31 or self.diff_min > 0:
            raise IRError("takes a multiplier of 0 to 2^31 - 1, a left shift of 0 to 31, and a diff_min of at most 0")
        if min(2 ** (8 * self.x.dtype.bytes) - 1, -self.diff_min) << self.left > 2**31:
            raise IRError(f"a difference of {self.diff_min} shifted left by {self.left} does not fit int32")
        return TensorType(self.x.shape, self.to)

    def evaluate(self, *operands: Array) -> Array:
        return fixed_point.softmax(operands[0], self.multiplier, self.left, self.diff_min, self.to)
