"""Between floats and integers: quantize and dequantize.

A real value is scale * (q - zero). Between the two stands what a quantised model computes on integers; a pass turns
dequantize, float operator, quantize into one integer operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tinyc.ir import expr
from tinyc.ir.draw import Draw
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

    def parameters(self) -> tuple[float, int]:
        """The scale and zero point of all elements, or of the first where there are several."""
        raise NotImplementedError

    def quantised(self) -> IntegerForm | StaysFloat:
        return StaysFloat("it converts between floats and integers")


@dataclass(frozen=True)
class Quantize(Conversion, mnemonic="quantize"):
    """Float to int8, uint8 or int16: x / scale rounded half to even, plus zero, limited to the type's range.

    NaN becomes 0.
    """

    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"scale": 0.1, "zero": 3},
        {"scale": 2.5, "zero": 128, "to": DType.U8},
        {"scale": 0.001, "to": DType.I16},
    )

    scale: float
    zero: int = 0
    to: DType = DType.I8

    @classmethod
    def sample(cls, draw: Draw) -> Quantize:
        # Where rounding must not reach the step, there are enough that none does.
        x = draw.fresh(TensorType(draw.shape(), DType.F32)) if draw.smooth else draw.floating()
        scale, to = draw.choice([1 / 16, 1 / 127, 0.037, 1.0]), draw.choice([DType.I8, DType.I8, DType.U8, DType.I16])
        low, high = to.limits
        return cls(x, scale, draw.choice([0, low, high, draw.integer(low, high)]), to)

    def parameters(self) -> tuple[float, int]:
        return self.scale, self.zero

    def infer(self) -> TensorType:
        if not self.x.dtype.is_float or self.to not in (DType.I8, DType.U8, DType.I16):
            raise IRError(f"makes int8, uint8 or int16 of floating point, not {self.to.value} of {self.x.type}")
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

    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"scale": (0.1,), "zero": (0,)},
        {"scale": (0.5,), "zero": (7,)},
    )

    scale: tuple[float, ...]
    zero: tuple[int, ...]
    axis: int = 0

    @classmethod
    def sample(cls, draw: Draw) -> Dequantize:
        x = draw.value([d for d in DType if d.is_integer])
        axis = draw.random.randrange(x.type.rank) if x.type.rank and draw.chance(0.4) else 0
        count = x.shape[axis] if axis else 1
        low, high = x.dtype.limits if x.dtype.bytes <= 2 else (0, 0)
        scales = tuple(draw.choice([1 / 16, 1 / 127, 0.037]) for _ in range(count))
        return cls(x, scales, tuple(draw.integer(low, high) for _ in range(count)), axis)

    def parameters(self) -> tuple[float, int]:
        return self.scale[0], self.zero[0]

    def uniform(self) -> bool:
        return self.whole()

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
