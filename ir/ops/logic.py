"""Comparisons, and what is done with the booleans that they give."""

from __future__ import annotations

from dataclasses import dataclass

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.expr import Expr, call, select
from tinyc.ir.op import IntegerForm, Op, StaysFloat, Value
from tinyc.ir.ops.elementwise import Binary, Elementwise, Unary
from tinyc.ir.types import DType, TensorType


@dataclass(frozen=True)
class Not(Unary, mnemonic="not", onnx="Not"):
    """Logical negation of a boolean."""

    def scalar(self, *args: Expr) -> Expr:
        return call("not", args[0])

    def infer(self) -> TensorType:
        _booleans(self)
        return super().infer()


@dataclass(frozen=True)
class Equal(Binary, mnemonic="equal", onnx="Equal"):
    """Whether x = y, as a boolean."""

    def jumps(self) -> bool:
        return self.x.dtype.is_float

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

    @classmethod
    def sample(cls, draw: Draw) -> Where:
        x = draw.anything()
        return cls(draw.partner(x, DType.BOOL), x, draw.partner(x))

    def scalar(self, *args: Expr) -> Expr:
        return select(*args)

    def passes_on(self) -> tuple[Value, ...]:
        return self.x, self.y

    def quantised(self) -> IntegerForm | StaysFloat:
        if not self.type.dtype.is_float:
            return StaysFloat("not all its operands and its result are floats")
        return Op.quantised(self)


def _booleans(op: Op) -> None:
    for value in op.operands:
        if value.dtype is not DType.BOOL:
            raise IRError(f"{value} is {value.type}, not a boolean")
