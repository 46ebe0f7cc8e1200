"""Scales: what an integer stands for, and the numbers that integer operators make of it.

What decides a number here (multipliers, biases) is computed in float64. What `quantize` and `dequantize` compute in
float32 is computed by their own meaning, so a table or a limit is bit for bit what they give.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.ir import expr, fixed_point
from tinyc.ir.errors import IRError
from tinyc.ir.op import Value
from tinyc.ir.ops import Clamp, Dequantize, Quantize
from tinyc.ir.ops.int8 import furthest
from tinyc.ir.ops.quantise import Conversion
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType
from tinyc.passes.core.rewrite import Skip

INT8 = np.arange(-128, 128).astype(np.int8)
"""All int8 values, in order: what a table is made from."""


@dataclass(frozen=True)
class Scale:
    """A real value is scale * (integer - zero), and the integers int8 or int16."""

    scale: float
    zero: int
    dtype: DType = DType.I8

    @staticmethod
    def of(op: Conversion) -> Scale:
        """The parameters of a conversion; the scale is the float32 that the conversion uses."""
        scale, zero = op.parameters()
        integers = op.type.dtype if op.type.dtype.is_integer else op.operands[0].dtype
        return Scale(float(np.float32(scale)), zero, DType.I16 if integers is DType.I16 else DType.I8)

    def quantize(self, x: Value) -> Quantize:
        """The conversion of a float to integers."""
        return Quantize(x, self.scale, self.zero, self.dtype)

    def dequantize(self, x: Value) -> Dequantize:
        """The conversion of an integer to float."""
        return Dequantize(x, (self.scale,), (self.zero,))

    def quantized(self, real: Array) -> Array:
        """Integers of float32 numbers, as `quantize` gives them."""
        op = self.quantize(Value("x", TensorType((), DType.F32)))
        return expr.evaluate(op.expression(), [real.astype(np.float32)])

    def dequantized(self, integers: Array) -> Array:
        """float32 numbers of integers, as `dequantize` gives them."""
        op = self.dequantize(Value("x", TensorType((), self.dtype)))
        return expr.evaluate(op.expression(), [integers])

    def integer(self, real: float) -> int:
        """The integer of a number, infinite ones too."""
        return int(self.quantized(np.asarray(real))[()])

    def exactly(self, real: float) -> int | None:
        """The integer that stands for exactly this number, None if there is none."""
        near = self.integer(real)
        return near if self.dequantized(np.asarray(near, self.dtype.numpy))[()] == np.float32(real) else None

    def limits(self, low: float, high: float) -> tuple[int, int]:
        """The integer limits that do what limiting to low..high before quantizing does: quantizing is monotone."""
        return self.integer(low), self.integer(high)


def multiplier(factor: float, bound: int, wide: bool = False) -> tuple[int, int] | Skip:
    """Multiplier and shift of a scale factor, for integers of at most `bound`; in int64 if `wide`."""
    try:
        found = fixed_point.to_multiplier(factor)
    except IRError as error:
        return Skip(error.message)
    if not fixed_point.fits(bound, found[1], wide):
        return Skip(f"integers up to {bound} times {factor:.4g} do not fit {'46 bits' if wide else 'int32'}")
    return found


def requantiser(factor: float, bound: int, wide: bool = False) -> tuple[int, int] | Skip:
    """Multiplier and shift of a scale factor by which integers of at most `bound` become a result: with a shift of 0
    where that is as good, so that it is rounded once."""
    plain = fixed_point.plain_multipliers(np.array([factor]), np.array([bound]))
    return multiplier(factor, bound, wide) if plain is None else (int(plain[0]), 0)


def widest(scale: Scale) -> int:
    """The largest distance of an integer of this scale from its zero point."""
    return furthest(scale.dtype, scale.zero)


def requantiser_of(factor: float, operands: Sequence[Scale], out: Scale, count: int = 1) -> tuple[int, int] | Skip:
    """The same for sums of `count` products of the integers of some scales, each less its zero point."""
    wide = DType.I16 in (out.dtype, *(scale.dtype for scale in operands))
    return requantiser(factor, count * math.prod(widest(scale) for scale in operands), wide)


def clip_of(x: Value, table: Array) -> Clamp | Value | None:
    """The clamp that a table of int8 over all int8 values amounts to, or `x` where it changes nothing; else None."""
    if table.dtype != np.int8:
        return None
    low, high = int(table[0]), int(table[-1])
    if low > high or not np.array_equal(table, np.clip(INT8, low, high)):
        return None
    return limited(x, low, high)


def limited(x: Value, low: int, high: int) -> Clamp | Value:
    """Integers within limits: themselves where these are those of their type."""
    least, most = x.dtype.limits
    if (low, high) == (least, most):
        return x
    return Clamp(x, -math.inf if low == least else float(low), math.inf if high == most else float(high))
