"""Between floats and integers: quantize and dequantize.

A real value is scale * (q - zero). Between the two stands what a quantised model computes on integers; a pass turns
dequantize, float operator, quantize into one integer operator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir import expr
from tinyc.ir.errors import IRError
from tinyc.ir.expr import Arg, Expr, call
from tinyc.ir.loops import Index, Loops, contiguous
from tinyc.ir.module import Module
from tinyc.ir.op import IntegerForm, RowForm, StaysFloat
from tinyc.ir.ops.elementwise import Unary
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


@dataclass(frozen=True)
class Conversion(Unary):
    """Base of the conversions between floats and the integers that stand for them."""

    def quantised(self) -> IntegerForm | StaysFloat:
        return StaysFloat("it converts between floats and integers")


@dataclass(frozen=True)
class Quantize(Conversion, mnemonic="quantize"):
    """Float to int8 or uint8: x / scale rounded half to even, plus zero, limited to the type's range. NaN becomes 0."""

    scale: float
    zero: int = 0
    to: DType = DType.I8

    def infer(self) -> TensorType:
        if not self.x.dtype.is_float or self.to not in (DType.I8, DType.U8):
            raise IRError(f"makes int8 or uint8 of floating point, not {self.to.value} of {self.x.type}")
        _check_scale(self.scale, self.zero, self.to)
        return super().infer()

    def scalar(self, *args: Expr) -> Expr:
        low, high = self.to.limits
        rounded = call("round", args[0] / float(np.float32(self.scale))) + float(self.zero)
        return expr.cast(call("min", call("max", rounded, float(low)), float(high)), self.to)

    def jumps(self) -> bool:
        return True


@dataclass(frozen=True)
class Dequantize(Conversion, mnemonic="dequantize"):
    """Integers to float: (x - zero) * scale. One scale and zero, or one an entry of dimension `axis` (weights)."""

    scale: tuple[float, ...]
    zero: tuple[int, ...]
    axis: int = 0

    def infer(self) -> TensorType:
        if not self.x.dtype.is_integer or not self.scale or len(self.scale) != len(self.zero):
            raise IRError(f"takes integers and as many scales as zero points, not {self.x.type}")
        if not self.whole() and not (0 <= self.axis < self.x.type.rank and self.x.shape[self.axis] == len(self.scale)):
            raise IRError(f"{len(self.scale)} scales do not fit dimension {self.axis} of {self.x.type}")
        for scale, zero in zip(self.scale, self.zero, strict=True):
            _check_scale(scale, zero, self.x.dtype)
        if self.x.dtype.bytes > 2 and any(self.zero):
            raise IRError(f"{self.x.dtype.value} has the zero point 0, not {list(self.zero)}")
        return TensorType(self.x.shape, DType.F32)

    def whole(self) -> bool:
        """Whether one scale serves all elements."""
        return len(self.scale) == 1

    def scalar(self, *args: Expr) -> Expr:
        return _real(args[0], self.scale[0], self.zero[0])

    def evaluate(self, *operands: Array) -> Array:
        if self.whole():
            return super().evaluate(*operands)
        shape = [1] * self.x.type.rank
        shape[self.axis] = len(self.scale)
        zero = np.array(self.zero, np.int64).reshape(shape)
        scale = np.array(self.scale, np.float32).reshape(shape)
        return np.asarray((operands[0].astype(np.int64) - zero).astype(np.float32) * scale)

    def row_form(self) -> RowForm | None:
        return super().row_form() if self.whole() else None

    def loops(self) -> tuple[Loops, ...]:
        """One nest an entry of dimension `axis`, each with its own scale."""
        if self.whole():
            return super().loops()
        strides = contiguous(self.x.shape)
        space = (*self.x.shape[: self.axis], *self.x.shape[self.axis + 1 :])
        rest = (*strides[: self.axis], *strides[self.axis + 1 :])
        argument = Arg(self.x.dtype, 0)
        nests = []
        for k, (scale, zero) in enumerate(zip(self.scale, self.zero, strict=True)):
            place = Index(k * strides[self.axis], rest)
            nests.append(Loops(space, (place,), place, _real(argument, scale, zero)))
        return tuple(nests)


def is_quantised(module: Module) -> bool:
    """Whether a module converts between floats and integers that stand for them."""
    return next(module.made_by(Conversion), None) is not None


def _real(q: Expr, scale: float, zero: int) -> Expr:
    """The real value of an integer; a difference to a zero point fits int32."""
    centred = expr.cast(q, DType.I32) - zero if zero else q
    return expr.cast(centred, DType.F32) * float(np.float32(scale))


def _check_scale(scale: float, zero: int, dtype: DType) -> None:
    """Raises `IRError` unless the scale is a positive float32 and the zero point a value of the integer type."""
    low, high = dtype.limits
    if not float(np.finfo(np.float32).tiny) <= scale <= float(np.finfo(np.float32).max):
        raise IRError(f"a scale is positive and a normal float32 number, not {scale}")
    if not low <= zero <= high:
        raise IRError(f"the zero point {zero} is not a value of {dtype.value}")
