"""Elementwise operators: one scalar expression each, operands broadcast by numpy's rules.

Adding one is a class of a few lines: its operands and its `scalar`. Type inference, meaning, rows and C follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tinyc.ir import expr
from tinyc.ir.errors import IRError
from tinyc.ir.expr import Arg, Expr, call, select
from tinyc.ir.loops import Index, Loops, broadcast_strides, contiguous
from tinyc.ir.op import Accuracy, Form, IntegerForm, Op, RowForm, StaysFloat, Value, Window
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


@dataclass(frozen=True)
class Elementwise(Op):
    """Base: the result's element is `scalar` of the operands' elements."""

    def __init_subclass__(cls, mnemonic: str = "", **kwargs: Any) -> None:
        if mnemonic and cls.scalar is Elementwise.scalar:
            raise TypeError(f"{cls.__name__} does not declare its meaning: write `scalar` in the class")
        super().__init_subclass__(mnemonic=mnemonic, **kwargs)

    def scalar(self, *args: Expr) -> Expr:
        """The expression, given one argument an operand."""
        raise NotImplementedError

    def expression(self) -> Expr:
        """The expression over this operator's own operands."""
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
        if len(shape) != 4 or shape[0] != 1 or self.lifted() != tuple(v.shape for v in self.operands):
            return None
        windows = tuple(Window() if v.type.rank == 4 and v.shape[1] == shape[1] else None for v in self.operands)
        return RowForm(windows) if any(windows) else None

    def lifted(self) -> tuple[tuple[int, ...], ...]:
        shape = self.type.shape
        image = len(shape) == 4 and shape[0] == 1
        # Of fewer dimensions than 4, only 3 reach the rows.
        return tuple(
            (1, *v.shape) if image and v.type.rank == 3 and v.shape[0] != 1 else v.shape for v in self.operands
        )

    def row_op(self, rows: int, valid: int) -> Op:
        form = self.row_form()
        assert form is not None
        return self.with_operands(
            [v if w is None else v.with_rows(rows) for v, w in zip(self.operands, form.windows, strict=True)]
        )

    def may_overwrite(self, operand: int) -> bool:
        return self.operands[operand].type == self.type

    def loops(self) -> tuple[Loops, ...]:
        shape = self.type.shape
        inputs = tuple(Index(0, broadcast_strides(v.shape, shape)) for v in self.operands)
        return (Loops(shape, inputs, Index(0, contiguous(shape)), self.expression()),)

    def quantised(self) -> IntegerForm | StaysFloat:
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


class Function(Unary, accuracy=Accuracy.FUNCTION):
    """Base of functions of a mathematical library. The mnemonic is the function's name, as C's math.h has it for
    double; one that `tinyc.ir.expr` does not have yet comes with its meaning.

    Class arguments:
        numpy: the function on arrays of floats.
    """

    def __init_subclass__(
        cls, mnemonic: str = "", numpy: Callable[[Array], Array] | None = None, **kwargs: Any
    ) -> None:
        if mnemonic and numpy is None and mnemonic not in expr.FUNCTIONS:
            raise TypeError(f"{cls.__name__} does not declare its meaning: give the class argument `numpy`")
        super().__init_subclass__(mnemonic=mnemonic, **kwargs)
        if numpy is not None:
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
    low, high = dtype.limits if dtype.is_integer else (0, 1)
    if value != int(value) or not low <= value <= high:
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


class Tanh(Function, mnemonic="tanh", onnx="Tanh"):
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


class Erf(Function, mnemonic="erf", onnx="Erf"):
    """The error function (GELU is made of it)."""


class Floor(Function, mnemonic="floor", onnx="Floor", accuracy=Accuracy.EXACT):
    """The largest integer not above x."""

    def jumps(self) -> bool:
        return self.x.dtype.is_float


class Ceil(Function, mnemonic="ceil", onnx="Ceil", accuracy=Accuracy.EXACT):
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

    alpha: float = 0.01

    def scalar(self, *args: Expr) -> Expr:
        (x,) = args
        return select(call("lt", x, 0.0), x * self.alpha, x)

    def infer(self) -> TensorType:
        if not self.x.dtype.is_float:
            raise IRError(f"takes floating point, not {self.x.type}")
        return super().infer()


@dataclass(frozen=True)
class Not(Unary, mnemonic="not", onnx="Not"):
    """Logical negation of a boolean."""

    def scalar(self, *args: Expr) -> Expr:
        return call("not", args[0])

    def infer(self) -> TensorType:
        _booleans(self)
        return super().infer()


@dataclass(frozen=True)
class Cast(Unary, mnemonic="cast"):
    """Converts the element type: float to integer truncates toward zero, anything to bool tests against zero."""

    to: DType

    def is_identity(self) -> bool:
        return self.x.dtype is self.to

    def scalar(self, *args: Expr) -> Expr:
        return expr.cast(args[0], self.to)

    def jumps(self) -> bool:
        return self.x.dtype.is_float and not self.to.is_float


@dataclass(frozen=True)
class Add(Binary, mnemonic="add", onnx="Add"):
    """x + y."""

    neutral: ClassVar[Mapping[int, float]] = {1: -0.0, 0: -0.0}

    def affine(self, place: int, constants: Mapping[int, Array]) -> tuple[Array, Array] | None:
        number = _real(constants[1 - place])
        return np.ones_like(number), number

    def quantised(self) -> IntegerForm | StaysFloat:
        return _of_two(self)

    def resolution(self, scales: Sequence[float]) -> float:
        # TFLite shifts the operands left by 20 before it adds, and halves them once.
        return max(scales) / 2**18

    def scalar(self, *args: Expr) -> Expr:
        return args[0] + args[1]


@dataclass(frozen=True)
class Sub(Binary, mnemonic="sub", onnx="Sub"):
    """x - y."""

    neutral: ClassVar[Mapping[int, float]] = {1: 0.0}

    def affine(self, place: int, constants: Mapping[int, Array]) -> tuple[Array, Array] | None:
        number = _real(constants[1 - place])
        return (-np.ones_like(number), number) if place else (np.ones_like(number), -number)

    def scalar(self, *args: Expr) -> Expr:
        return args[0] - args[1]


@dataclass(frozen=True)
class Mul(Binary, mnemonic="mul", onnx="Mul"):
    """x * y."""

    neutral: ClassVar[Mapping[int, float]] = {1: 1.0, 0: 1.0}

    def affine(self, place: int, constants: Mapping[int, Array]) -> tuple[Array, Array] | None:
        number = _real(constants[1 - place])
        return number, np.zeros_like(number)

    def quantised(self) -> IntegerForm | StaysFloat:
        return _of_two(self)

    def resolution(self, scales: Sequence[float]) -> float:
        return scales[0] * scales[-1]

    def scalar(self, *args: Expr) -> Expr:
        return args[0] * args[1]


@dataclass(frozen=True)
class Div(Binary, mnemonic="div", onnx="Div"):
    """x / y; integers truncate toward zero, and a division by the integer zero gives zero."""

    neutral: ClassVar[Mapping[int, float]] = {1: 1.0}

    def affine(self, place: int, constants: Mapping[int, Array]) -> tuple[Array, Array] | None:
        if place:
            return None
        with np.errstate(all="ignore"):
            number = 1.0 / _real(constants[1])
        return number, np.zeros_like(number)

    def scalar(self, *args: Expr) -> Expr:
        return args[0] / args[1]


@dataclass(frozen=True)
class Pow(Binary, mnemonic="pow", onnx="Pow", accuracy=Accuracy.FUNCTION):
    """x to the power y."""

    def scalar(self, *args: Expr) -> Expr:
        return call("pow", *args)


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


@dataclass(frozen=True)
class Maximum(Choice, mnemonic="maximum", onnx="Max"):
    """The larger of x and y."""

    def clamp(self, x: Value, limit: float) -> Clamp:
        return Clamp(x, min=limit)

    def least(self, operands: Sequence[float]) -> float:
        return max(operands)

    def scalar(self, *args: Expr) -> Expr:
        return call("max", *args)


@dataclass(frozen=True)
class Minimum(Choice, mnemonic="minimum", onnx="Min"):
    """The smaller of x and y."""

    def clamp(self, x: Value, limit: float) -> Clamp:
        return Clamp(x, max=limit)

    def scalar(self, *args: Expr) -> Expr:
        return call("min", *args)


@dataclass(frozen=True)
class Equal(Binary, mnemonic="equal", onnx="Equal"):
    """Whether x = y, as a boolean."""

    def scalar(self, *args: Expr) -> Expr:
        return call("eq", *args)


@dataclass(frozen=True)
class Less(Binary, mnemonic="less", onnx="Less"):
    """Whether x < y, as a boolean."""

    def scalar(self, *args: Expr) -> Expr:
        return call("lt", *args)

    def jumps(self) -> bool:
        return self.x.dtype.is_float


@dataclass(frozen=True)
class And(Binary, mnemonic="and", onnx="And"):
    """Logical conjunction of booleans."""

    def scalar(self, *args: Expr) -> Expr:
        return call("and", *args)

    def infer(self) -> TensorType:
        _booleans(self)
        return super().infer()


@dataclass(frozen=True)
class Or(Binary, mnemonic="or", onnx="Or"):
    """Logical disjunction of booleans."""

    def scalar(self, *args: Expr) -> Expr:
        return call("or", *args)

    def infer(self) -> TensorType:
        _booleans(self)
        return super().infer()


@dataclass(frozen=True)
class Where(Elementwise, mnemonic="where", onnx="Where"):
    """x where the condition holds, else y."""

    condition: Value
    x: Value
    y: Value

    def scalar(self, *args: Expr) -> Expr:
        return select(*args)


def _real(array: Array) -> Array:
    return array.astype(np.float64)


def _of_two(op: Binary) -> IntegerForm | StaysFloat:
    """The form of a sum or product."""
    if op.type not in (op.x.type, op.y.type):
        return StaysFloat("both operands are smaller than its result")
    return IntegerForm(Form.BINARY, op.operands)


def _booleans(op: Op) -> None:
    for value in op.operands:
        if value.dtype is not DType.BOOL:
            raise IRError(f"{value} is {value.type}, not a boolean")
