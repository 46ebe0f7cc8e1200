"""Arithmetic of two operands: sums, products, powers, the larger and the smaller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.expr import Expr, call
from tinyc.ir.op import Accuracy, Form, IntegerForm, StaysFloat, Value
from tinyc.ir.ops.elementwise import Binary, Choice, Clamp
from tinyc.ir.tensor import Array


@dataclass(frozen=True)
class Add(Binary, mnemonic="add", onnx="Add"):
    """x + y."""

    neutral: ClassVar[Mapping[int, float]] = {1: -0.0, 0: -0.0}

    def affine(self, place: int, constants: Mapping[int, Array]) -> tuple[Array, Array] | None:
        number = _real(constants[1 - place])
        return _line(self, np.ones_like(number), number)

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
        ones = np.ones_like(number)
        return _line(self, -ones, number) if place else _line(self, ones, -number)

    def quantised(self) -> IntegerForm | StaysFloat:
        return _of_two(self)

    def resolution(self, scales: Sequence[float]) -> float:
        return max(scales) / 2**18  # as of a sum

    def scalar(self, *args: Expr) -> Expr:
        return args[0] - args[1]


@dataclass(frozen=True)
class Mul(Binary, mnemonic="mul", onnx="Mul"):
    """x * y."""

    neutral: ClassVar[Mapping[int, float]] = {1: 1.0, 0: 1.0}

    def affine(self, place: int, constants: Mapping[int, Array]) -> tuple[Array, Array] | None:
        number = _real(constants[1 - place])
        return _line(self, number, np.zeros_like(number))

    def quantised(self) -> IntegerForm | StaysFloat:
        return _of_two(self)

    def resolution(self, scales: Sequence[float]) -> float:
        return scales[0] * scales[-1]

    def multiplies(self) -> bool:
        return True

    def scalar(self, *args: Expr) -> Expr:
        return args[0] * args[1]


@dataclass(frozen=True)
class Div(Binary, mnemonic="div", onnx="Div", steep=True):
    """x / y; integers truncate toward zero, and a division by the integer zero gives zero."""

    neutral: ClassVar[Mapping[int, float]] = {1: 1.0}

    def affine(self, place: int, constants: Mapping[int, Array]) -> tuple[Array, Array] | None:
        if place:
            return None
        with np.errstate(all="ignore"):
            number = 1.0 / _real(constants[1])
        return _line(self, number, np.zeros_like(number))

    def quantised(self) -> IntegerForm | StaysFloat:
        return _of_two(self)

    def scalar(self, *args: Expr) -> Expr:
        return args[0] / args[1]


@dataclass(frozen=True)
class Pow(Binary, mnemonic="pow", onnx="Pow", accuracy=Accuracy.FUNCTION, steep=True):
    """x to the power y."""

    def quantised(self) -> IntegerForm | StaysFloat:
        return StaysFloat("where base and exponent both vary, no table of 256 entries has their powers")

    def scalar(self, *args: Expr) -> Expr:
        return call("pow", *args)


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


def _real(array: Array) -> Array:
    return array.astype(np.float64)


def _line(op: Binary, factor: Array, offset: Array) -> tuple[Array, Array] | None:
    """On floats; integers wrap around, and their quotients are cut off."""
    return (factor, offset) if op.type.dtype.is_float else None


def _of_two(op: Binary) -> IntegerForm | StaysFloat:
    """The form of a sum, product or quotient."""
    if op.type not in (op.x.type, op.y.type):
        return StaysFloat("both operands are smaller than its result")
    return IntegerForm(Form.BINARY, op.operands)
