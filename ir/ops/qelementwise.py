"""Integer operators that look at one element, or at one row of a softmax, at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.ir import fixed_point
from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import OfRows, RowForm, Value, Window
from tinyc.ir.ops.int8 import (
    Int8,
    OneFactor,
    Requantised,
    check_factor,
    check_int8,
    check_limits,
    drawn_multiplier,
    drawn_output,
    drawn_shift,
    drawn_zero,
    narrow,
)
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


def whole_sum(a: int, b: int, places: int) -> dict[str, int]:
    """Multipliers and shifts of a sum by whole factors of 2^-places, by the names that `QAdd` has for them."""
    unit = 1 << (31 - fixed_point.SUM_LEFT)
    multipliers = {"x_multiplier": a * unit, "y_multiplier": b * unit, "out_multiplier": 1 << (31 - places)}
    return {**multipliers, "x_shift": 0, "y_shift": 0, "out_shift": 0, "left": fixed_point.SUM_LEFT}


@dataclass(frozen=True)
class QAdd(OfRows, Requantised, mnemonic="qadd"):
    """int8 sum of two values of one shape with different scales, as TFLite and ESP-NN compute it.

    Each operand, less its zero point, is shifted left by `left` and requantised by its own (multiplier, shift); the sum
    is requantised by (out_multiplier, out_shift), moved by out_zero and limited. All shifts are at most 0.
    """

    x: Value
    y: Value
    x_zero: int
    y_zero: int
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

    @classmethod
    def sample(cls, draw: Draw) -> QAdd:
        x = draw.value((DType.I8,))
        y = x if draw.chance(0.1) else draw.pick(lambda v: v.type == x.type, x.type)
        zeros = {"x_zero": drawn_zero(draw), "y_zero": drawn_zero(draw)}
        whole = fixed_point.whole_factors(*(2.0 ** draw.random.uniform(-14, 5) for _ in "xy"))
        if whole is not None and draw.chance(0.5):
            return cls(x, y, **zeros, **whole_sum(*whole), **drawn_output(draw))
        left = draw.choice([20, 20, 20, 0, 22])
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
            **drawn_output(draw),
        )

    def infer(self) -> TensorType:
        check_int8(self.x, self.y)
        check_limits(self.min, self.max, self.x_zero, self.y_zero, self.out_zero)
        if self.x.type != self.y.type:
            raise IRError(f"{self.x.type} and {self.y.type} differ in shape")
        if not 0 <= self.left <= 22:
            raise IRError(f"left is 0 to 22 (what int32 holds of a sum of two values), not {self.left}")
        check_factor(self.x_multiplier, self.x_shift, 0, 255 << self.left)
        check_factor(self.y_multiplier, self.y_shift, 0, 255 << self.left)
        check_factor(self.out_multiplier, self.out_shift, 0, 510 << self.left)
        return self.x.type

    def evaluate(self, *operands: Array) -> Array:
        x = (operands[0].astype(np.int64) - self.x_zero) << self.left
        y = (operands[1].astype(np.int64) - self.y_zero) << self.left
        total = fixed_point.requantise(x, self.x_multiplier, self.x_shift)
        total = total + fixed_point.requantise(y, self.y_multiplier, self.y_shift)
        return narrow(total, self.out_multiplier, self.out_shift, self.out_zero, self.min, self.max)

    def whole(self) -> tuple[int, int, int, int] | None:
        """(a, b, start, places) where the result is (a * x + b * y + start) / 2^places, rounded down and limited, all
        of it in int32; None where rounding is more than that. `start` has the zero points and the half."""
        a = fixed_point.whole_factor(self.x_multiplier, self.x_shift, self.left)
        b = fixed_point.whole_factor(self.y_multiplier, self.y_shift, self.left)
        places = 32 - self.out_multiplier.bit_length()
        once = self.out_shift == 0 and self.out_multiplier << places == 1 << 31
        if a is None or b is None or not once or not fixed_point.sums_fit(a, b, places):
            return None
        half = 1 << (places - 1)
        return a, b, (self.out_zero << places) + half - self.x_zero * a - self.y_zero * b, places

    def may_overwrite(self, operand: int) -> bool:
        return True

    def runs_whole(self) -> bool:
        return True

    def row_form(self) -> RowForm | None:
        return RowForm((Window(), Window())) if self.x.type.has_rows else None


@dataclass(frozen=True)
class OfTwo(OfRows, Requantised):
    """Base of products and quotients of two values, y with the shape of x, or with one entry for each entry of the last
    dimension of x ([1, ..., 1, C])."""

    x: Value
    y: Value
    x_zero: int
    y_zero: int

    @staticmethod
    def drawn(draw: Draw) -> tuple[Value, Value]:
        """Random operands."""
        x = draw.value((DType.I8,), 1)
        type = TensorType((*(1 for _ in x.shape[1:]), x.shape[-1]), DType.I8) if draw.chance(0.4) else x.type
        return x, draw.pick(lambda v: v.type == type, type)

    def check_shapes(self) -> None:
        """Raises `IRError` unless the operands' shapes fit each other."""
        if self.x.type != self.y.type and not self.per_channel():
            raise IRError(f"{self.y.type} is neither {self.x.type} nor one entry for each of its channels")

    def per_channel(self) -> bool:
        """Whether y has one entry a channel."""
        channels = self.x.shape[-1:]
        return bool(channels) and self.y.type.size == channels[0] and self.y.shape[-1:] == channels

    def aligned(self, operands: Sequence[Array]) -> tuple[Array, Array]:
        """The operands in int64, broadcasting."""
        x, y = (o.astype(np.int64) for o in operands)
        return x, y if self.x.type == self.y.type else y.reshape(-1)

    def may_overwrite(self, operand: int) -> bool:
        return self.operands[operand].type == self.type

    def runs_whole(self) -> bool:
        return True

    def row_form(self) -> RowForm | None:
        if not self.x.type.has_rows:
            return None
        return RowForm((Window(), Window() if self.x.type == self.y.type else None))


@dataclass(frozen=True)
class QMul(OfTwo, OneFactor, mnemonic="qmul"):
    """int8 product: requantise((x - x_zero) * (y - y_zero), multiplier, shift) + out_zero, limited.

    y has the shape of x, or one entry for each entry of the last dimension of x ([1, ..., 1, C]).
    """

    multiplier: int
    shift: int
    out_zero: int = 0
    min: int = -128
    max: int = 127

    @classmethod
    def sample(cls, draw: Draw) -> QMul:
        x, y = cls.drawn(draw)
        zeros = drawn_zero(draw), drawn_zero(draw)
        return cls(x, y, *zeros, drawn_multiplier(draw), drawn_shift(draw, 5000, 255 * 255), **drawn_output(draw))

    def infer(self) -> TensorType:
        check_int8(self.x, self.y)
        check_limits(self.min, self.max, self.x_zero, self.y_zero, self.out_zero)
        self.check_shapes()
        check_factor(self.multiplier, self.shift, 30, 255 * 255)
        return self.x.type

    def evaluate(self, *operands: Array) -> Array:
        x, y = self.aligned(operands)
        product = (x - self.x_zero) * (y - self.y_zero)
        return self.narrowed(product)


@dataclass(frozen=True)
class Lookup(OfRows, Int8, mnemonic="lookup"):
    """An elementwise function of an int8 value by table: y = table[x + 128]. The table has 256 int8 entries."""

    x: Value
    table: Value

    @classmethod
    def sample(cls, draw: Draw) -> Lookup:
        return cls(draw.value((DType.I8,)), draw.constant((256,), DType.I8))

    def infer(self) -> TensorType:
        check_int8(self.x, self.table)
        if self.table.shape != (256,):
            raise IRError(f"a table has 256 entries, not {self.table.type}")
        return self.x.type

    def evaluate(self, *operands: Array) -> Array:
        return operands[1][operands[0].astype(np.int64) + 128]

    def elementwise(self) -> bool:
        return True

    def may_overwrite(self, operand: int) -> bool:
        return operand == 0

    def runs_whole(self) -> bool:
        return True

    def row_form(self) -> RowForm | None:
        return RowForm((Window(), None)) if self.x.type.has_rows else None


@dataclass(frozen=True)
class QSoftmax(OfRows, Int8, mnemonic="qsoftmax"):
    """int8 softmax along the last dimension, as TFLite and ESP-NN compute it. The result has scale 1/256 and zero -128.

    (multiplier, left) scale the difference to the maximum to Q5.26; differences below diff_min count as zero.
    """

    x: Value
    multiplier: int
    left: int
    diff_min: int

    @classmethod
    def sample(cls, draw: Draw) -> QSoftmax:
        scale = 2.0 ** draw.random.uniform(-14, 3)
        return cls(draw.value((DType.I8,), 1), *fixed_point.softmax_scaling(scale))

    def infer(self) -> TensorType:
        check_int8(self.x)
        if self.x.type.rank < 1 or not 1 <= self.x.shape[-1] <= fixed_point.SOFTMAX_LARGEST:
            raise IRError(f"takes a last dimension of 1 to {fixed_point.SOFTMAX_LARGEST}, not {self.x.type}")
        if not 0 <= self.multiplier <= fixed_point.INT32[1] or not 0 <= self.left <= 31 or self.diff_min > 0:
            raise IRError("takes a multiplier of 0 to 2^31 - 1, a left shift of 0 to 31, and a diff_min of at most 0")
        if min(255, -self.diff_min) << self.left > 2**31:
            raise IRError(f"a difference of {self.diff_min} shifted left by {self.left} does not fit int32")
        return self.x.type

    def evaluate(self, *operands: Array) -> Array:
        return fixed_point.softmax(operands[0], self.multiplier, self.left, self.diff_min)

    def may_overwrite(self, operand: int) -> bool:
        return True

    def runs_whole(self) -> bool:
        return True

    def row_form(self) -> RowForm | None:
        """Each row by itself: the last dimension is none of rows."""
        return RowForm((Window(),)) if self.x.type.has_rows else None
