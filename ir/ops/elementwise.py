"""Elementwise operators: one scalar expression each, operands broadcast by numpy's rules.

Adding one is a class of a few lines: its operands and its `scalar`. Type inference, meaning, rows and C follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, cast

import numpy as np

from tinyc.ir import expr
from tinyc.ir.draw import Draw, takes
from tinyc.ir.errors import IRError
from tinyc.ir.expr import Arg, Expr, call, select
from tinyc.ir.loops import Index, Loops, broadcast_strides, contiguous
from tinyc.ir.op import (
    Accuracy,
    FieldKind,
    Form,
    IntegerForm,
    OfRows,
    RowForm,
    StaysFloat,
    Value,
    Window,
    fields_of,
)
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


@dataclass(frozen=True)
class Elementwise(OfRows):
    """Base: the result's element is `scalar` of the operands' elements."""

    examples: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)
    """Attributes that tests try, the corners among them."""

    @classmethod
    def sample(cls, draw: Draw) -> Elementwise:
        """Operands of one element type that broadcast, and attributes from `examples`."""
        make: Any = cls
        attributes = draw.choice(cls.examples)
        count = sum(spec.kind is FieldKind.OPERAND for spec in fields_of(cls))
        x = draw.value(takes(lambda v: make(*(v,) * count, **attributes)))
        operands = [x, *(draw.partner(x) for _ in range(count - 1))]
        if draw.chance(0.3):
            operands.reverse()
        return cast("Elementwise", make(*operands, **attributes))

    def __init_subclass__(cls, mnemonic: str | None = None, **kwargs: Any) -> None:
        if mnemonic and cls.scalar is Elementwise.scalar:
            raise TypeError(f"{cls.__name__} does not declare its meaning: write `scalar` in the class")
        super().__init_subclass__(mnemonic=mnemonic, **kwargs)

    def scalar(self, *args: Expr) -> Expr:
        """The expression, given one argument an operand."""
        raise NotImplementedError

    def uniform(self) -> bool:
        """Whether the expression is the same for all elements."""
        return True

    def expression(self) -> Expr:
        """The expression over this operator's own operands."""
        return self._expression

    @cached_property
    def _expression(self) -> Expr:
        return self.scalar(*(Arg(v.dtype, k) for k, v in enumerate(self.operands)))

    def infer(self) -> TensorType:
        try:
            shape = np.broadcast_shapes(*(v.shape for v in self.operands))
        except ValueError:
            shapes = " and ".join(str(v.type) for v in self.operands)
            raise IRError(f"{shapes} do not broadcast to one shape") from None
        return TensorType(tuple(int(d) for d in shape), self.expression().dtype)

    def evaluate(self, *operands: Array) -> Array:
        return np.broadcast_to(expr.evaluate(self.expression(), operands), self.type.shape)

    def row_form(self) -> RowForm | None:
        """An operand whose dimension there is aligned with the rows has rows of its own where that is more than 1; else
        it is the same for all rows, and read whole."""
        shape = self.type.shape
        if not self.type.has_rows or self.lifted() != tuple(v.shape for v in self.operands):
            return None
        windows = tuple(
            Window() if v.type.rank == self.type.rank and v.shape[1] == shape[1] else None for v in self.operands
        )
        return RowForm(windows) if any(windows) else None

    def lifted(self) -> tuple[tuple[int, ...], ...]:
        # Of fewer dimensions than the result's, only one less reaches the rows.
        rank = self.type.rank - 1 if self.type.has_rows else -1
        return tuple((1, *v.shape) if v.type.rank == rank and v.shape[0] != 1 else v.shape for v in self.operands)

    def may_overwrite(self, operand: int) -> bool:
        return self.operands[operand].type == self.type

    def loops(self) -> tuple[Loops, ...]:
        shape = self.type.shape
        inputs = tuple(Index(0, broadcast_strides(v.shape, shape)) for v in self.operands)
        return (Loops(shape, inputs, Index(0, contiguous(shape)), self.expression()),)

    def elementwise(self) -> bool:
        return True

    def quantised(self) -> IntegerForm | StaysFloat:
        if not self.type.dtype.is_float or not all(v.dtype.is_float for v in self.operands):
            return StaysFloat("not all its operands and its result are floats")
        return IntegerForm(Form.TABLE, self.operands)


@dataclass(frozen=True)
class Unary(Elementwise):
    """Base of operators with one operand."""

    x: Value


@dataclass(frozen=True)
class Binary(Elementwise):
    """Base of operators with two operands."""

    x: Value
    y: Value


@dataclass(frozen=True)
class Choice(Binary):
    """Base of operators that give one of their two operands."""

    def passes_on(self) -> tuple[Value, ...]:
        return self.operands

    def chooses(self) -> bool:
        return True

    def clamp(self, x: Value, limit: float) -> Clamp:
        """The clamp that does to x what the choice between x and a number does."""
        raise NotImplementedError


class Function(Unary, accuracy=Accuracy.FUNCTION, steep=True):
    """Base of functions of a mathematical library, `steep` unless they say otherwise. The mnemonic is the function's
    name, as C's math.h has it for double; one that `tinyc.ir.expr` does not have yet comes with its meaning.

    Class arguments:
        numpy: the function on arrays of floats.
    """

    def __init_subclass__(
        cls, mnemonic: str | None = None, numpy: Callable[[Array], Array] | None = None, **kwargs: Any
    ) -> None:
        if mnemonic and numpy is None and mnemonic not in expr.FUNCTIONS:
            raise TypeError(f"{cls.__name__} does not declare its meaning: give the class argument `numpy`")
        if numpy is not None and not callable(numpy):
            raise TypeError(f"{cls.__name__}: `numpy` is a function of arrays, not {numpy!r}")
        super().__init_subclass__(mnemonic=mnemonic, **kwargs)
        if mnemonic and numpy is not None:
            expr.define(mnemonic, numpy)

    def scalar(self, *args: Expr) -> Expr:
        return call(self.mnemonic, args[0])


@dataclass(frozen=True)
class Copy(Unary, mnemonic="copy", onnx="Identity"):
    """The operand in a place of its own. The lowering makes it, where one memory cannot serve two purposes."""

    def copies(self) -> bool:
        return True

    def scalar(self, *args: Expr) -> Expr:
        return args[0]


@dataclass(frozen=True)
class Clamp(Unary, mnemonic="clamp"):
    """Limits to min <= x <= max: ReLU is min = 0, ReLU6 is min = 0 and max = 6. NaN passes through."""

    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {},
        {"min": 0.0},
        {"min": 0.0, "max": 6.0},
        {"min": -1.0, "max": 6.0},
        {"min": -1.0, "max": 0.5},
        {"max": 3.0},
        {"max": 0.0},
    )

    min: float = -math.inf
    max: float = math.inf

    def is_identity(self) -> bool:
        return (self.min, self.max) == (-math.inf, math.inf)

    def scalar(self, *args: Expr) -> Expr:
        (x,) = args
        low = x if self.min == -math.inf else call("max", x, _literal(self.min, x.dtype))
        return low if self.max == math.inf else call("min", low, _literal(self.max, x.dtype))

    def infer(self) -> TensorType:
        if self.min > self.max:
            raise IRError(f"min {self.min} is above max {self.max}")
        return super().infer()


def _literal(value: float, dtype: DType) -> float | int:
    if dtype.is_float:
        return value
    if not dtype.has(value):
        raise IRError(f"a limit of {value} does not fit the element type {dtype.value}")
    return int(value)


@dataclass(frozen=True)
class Neg(Unary, mnemonic="neg", onnx="Neg"):
    """-x."""

    def scalar(self, *args: Expr) -> Expr:
        return -args[0]


@dataclass(frozen=True)
class Abs(Unary, mnemonic="abs", onnx="Abs"):
    """|x|."""

    def least(self, operands: Sequence[float]) -> float:
        return 0.0 if self.x.dtype.is_float else -math.inf

    def scalar(self, *args: Expr) -> Expr:
        return call("abs", args[0])


class Exp(Function, mnemonic="exp", onnx="Exp"):
    """e to the x."""


class Log(Function, mnemonic="log", onnx="Log"):
    """Natural logarithm."""


class Sqrt(Function, mnemonic="sqrt", onnx="Sqrt", accuracy=Accuracy.EXACT):
    """Square root."""


class Tanh(Function, mnemonic="tanh", onnx="Tanh", steep=False):
    """Hyperbolic tangent."""

    natural_scale: ClassVar[tuple[float, int] | None] = (1 / 128, 0)


@dataclass(frozen=True)
class Sigmoid(Unary, mnemonic="sigmoid", onnx="Sigmoid", accuracy=Accuracy.FUNCTION):
    """1 / (1 + e^-x)."""

    natural_scale: ClassVar[tuple[float, int] | None] = (1 / 256, -128)

    def least(self, operands: Sequence[float]) -> float:
        return 0.0

    def scalar(self, *args: Expr) -> Expr:
        return call("div", 1.0, call("exp", -args[0]) + 1.0)


class Erf(Function, mnemonic="erf", onnx="Erf", steep=False):
    """The error function (GELU is made of it)."""


class Floor(Function, mnemonic="floor", onnx="Floor", accuracy=Accuracy.EXACT, steep=False):
    """The largest integer not above x."""

    def jumps(self) -> bool:
        return self.x.dtype.is_float


class Ceil(Function, mnemonic="ceil", onnx="Ceil", accuracy=Accuracy.EXACT, steep=False):
    """The smallest integer not below x."""

    def jumps(self) -> bool:
        return self.x.dtype.is_float


@dataclass(frozen=True)
class Round(Unary, mnemonic="round", onnx="Round"):
    """The nearest integer, ties to even."""

    def scalar(self, *args: Expr) -> Expr:
        return call("round", args[0])

    def jumps(self) -> bool:
        return self.x.dtype.is_float


@dataclass(frozen=True)
class LeakyRelu(Unary, mnemonic="leaky_relu"):
    """x where x >= 0, else alpha * x."""

    examples: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"alpha": 0.25}, {"alpha": 0.0}, {"alpha": -0.3})

    alpha: float = 0.01

    def keeps_channels(self) -> bool:
        return True

    def scalar(self, *args: Expr) -> Expr:
        (x,) = args
        return select(call("lt", x, 0.0), x * self.alpha, x)

    def infer(self) -> TensorType:
        if not self.x.dtype.is_float:
            raise IRError(f"takes floating point, not {self.x.type}")
        return super().infer()


@dataclass(frozen=True)
class Cast(Unary, mnemonic="cast"):
    """Converts the element type: float to integer truncates toward zero, anything to bool tests against zero."""

    examples: ClassVar[tuple[Mapping[str, Any], ...]] = tuple({"to": dtype} for dtype in DType)

    to: DType

    def is_identity(self) -> bool:
        return self.x.dtype is self.to

    def scalar(self, *args: Expr) -> Expr:
        return expr.cast(args[0], self.to)

    def jumps(self) -> bool:
        return self.x.dtype.is_float and not self.to.is_float

    def least(self, operands: Sequence[float]) -> float:
        wider = self.x.dtype.is_integer and self.to.is_integer and np.can_cast(self.x.dtype.numpy, self.to.numpy)
        return operands[0] if wider else -math.inf

    def undefined(self, *operands: Array) -> Array | None:
        """Integers of floats beyond the range of their type, and of NaN: neither ONNX nor C defines them."""
        if not self.x.dtype.is_float or not self.to.is_integer:
            return None
        low, high = self.to.limits
        with np.errstate(invalid="ignore"):
            whole = np.trunc(operands[0])
            return np.asarray(~((whole >= low) & (whole <= high)))
