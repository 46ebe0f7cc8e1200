"""Reductions over dimensions. The reduced dimensions stay, with size 1; a reshape drops them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.draw import Draw, takes
from tinyc.ir.errors import IRError
from tinyc.ir.expr import Arg, Expr
from tinyc.ir.loops import Index, Loops, contiguous
from tinyc.ir.op import Accuracy, Form, IntegerForm, OfRows, RowForm, StaysFloat, Value, Window
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


@dataclass(frozen=True)
class Reduce(OfRows, accuracy=Accuracy.SUM):
    """Base of reductions over `axes`, in ascending order. `combine` is the loop nest's combining function."""

    combine: ClassVar[str] = ""

    x: Value
    axes: tuple[int, ...]

    @classmethod
    def sample(cls, draw: Draw) -> Reduce:
        x = draw.value(takes(lambda v: cls(v, ())))
        return cls(x, tuple(d for d in range(x.type.rank) if draw.chance(0.5)))

    def infer(self) -> TensorType:
        if list(self.axes) != sorted(set(self.axes)) or not all(0 <= a < self.x.type.rank for a in self.axes):
            raise IRError(f"axes {list(self.axes)} are not ascending dimensions of {self.x.type}")
        if self.count() == 0:
            raise IRError(f"a reduction over no elements of {self.x.type}")
        if self.x.dtype is DType.BOOL and self.combine not in ("max", "min"):
            raise IRError(f"takes numbers, not {self.x.type}")
        return TensorType(tuple(1 if d in self.axes else n for d, n in enumerate(self.x.shape)), self.x.dtype)

    def count(self) -> int:
        """Elements reduced to one."""
        return math.prod(self.x.shape[a] for a in self.axes)

    def keeps_channels(self) -> bool:
        return self.combine != "mul" and self.x.type.rank - 1 not in self.axes

    def finish(self) -> Expr | None:
        """What is done to the reduced value, if anything."""
        return None

    def is_view(self) -> bool:
        return self.count() == 1

    def is_identity(self) -> bool:
        return self.x.type == self.type

    def row_form(self) -> RowForm | None:
        """Each row by itself, where not over rows."""
        return RowForm((Window(),)) if self.x.type.has_rows and 1 not in self.axes else None

    def loops(self) -> tuple[Loops, ...]:
        kept = [d for d in range(self.x.type.rank) if d not in self.axes]
        own = contiguous(self.x.shape)
        out = contiguous(self.type.shape)
        order = (*kept, *self.axes)
        nest = Loops(
            space=tuple(self.x.shape[d] for d in order),
            inputs=(Index(0, tuple(own[d] for d in order)),),
            output=Index(0, tuple(out[d] for d in kept)),
            body=Arg(self.x.dtype, 0),
            reduced=len(self.axes),
            combine=self.combine if self.axes else "",
            finish=self.finish(),
        )
        return (nest,)

    def _wide(self, x: Array) -> Array:
        return x.astype(np.float64) if self.x.dtype.is_float else x

    def _sum(self, x: Array) -> Array:
        """The sum starts at -0.0, which leaves a single element as it is."""
        wide = self._wide(x)
        first = -0.0 if self.x.dtype.is_float else 0
        return np.asarray(wide.sum(axis=self.axes, keepdims=True, dtype=wide.dtype, initial=first))


@dataclass(frozen=True)
class ReduceSum(Reduce, mnemonic="reduce_sum"):
    """The sum."""

    combine: ClassVar[str] = "add"

    def evaluate(self, *operands: Array) -> Array:
        return self._sum(operands[0])

    def quantised(self) -> IntegerForm | StaysFloat:
        return _in_sums(self)

    def resolution(self, scales: Sequence[float]) -> float:
        return scales[0]


@dataclass(frozen=True)
class ReduceMean(Reduce, mnemonic="reduce_mean"):
    """The mean, of floating point: the sum, rounded, divided by the count. Global average pooling is one."""

    combine: ClassVar[str] = "add"

    def infer(self) -> TensorType:
        if not self.x.dtype.is_float:
            raise IRError(f"takes floating point, not {self.x.type}")
        return super().infer()

    def evaluate(self, *operands: Array) -> Array:
        total = self._sum(operands[0]).astype(operands[0].dtype)
        return np.asarray(total / total.dtype.type(self.count()))

    def quantised(self) -> IntegerForm | StaysFloat:
        return _in_sums(self)

    def resolution(self, scales: Sequence[float]) -> float:
        return scales[0] / self.count()

    def finish(self) -> Expr | None:
        return Arg(self.x.dtype, 0) / float(self.count())


def _in_sums(op: Reduce) -> IntegerForm | StaysFloat:
    """The form of a sum or mean."""
    return IntegerForm(Form.MEAN, (op.x,)) if op.axes else StaysFloat("it is one over no dimension")


@dataclass(frozen=True)
class Chosen(Reduce, accuracy=Accuracy.EXACT):
    """Base of reductions that choose one of the elements."""

    def passes_on(self) -> tuple[Value, ...]:
        return (self.x,)

    def chooses(self) -> bool:
        return True


@dataclass(frozen=True)
class ReduceMax(Chosen, mnemonic="reduce_max"):
    """The largest."""

    combine: ClassVar[str] = "max"

    def evaluate(self, *operands: Array) -> Array:
        return np.asarray(operands[0].max(axis=self.axes, keepdims=True))


@dataclass(frozen=True)
class ReduceMin(Chosen, mnemonic="reduce_min"):
    """The smallest."""

    combine: ClassVar[str] = "min"

    def evaluate(self, *operands: Array) -> Array:
        return np.asarray(operands[0].min(axis=self.axes, keepdims=True))


@dataclass(frozen=True)
class ReduceProd(Reduce, mnemonic="reduce_prod", steep=True):
    """The product."""

    combine: ClassVar[str] = "mul"

    def quantised(self) -> IntegerForm | StaysFloat:
        return StaysFloat("a product of many numbers spans more powers of two than int8 has steps")

    def evaluate(self, *operands: Array) -> Array:
        return np.asarray(
            self._wide(operands[0]).prod(axis=self.axes, keepdims=True, dtype=self._wide(operands[0]).dtype)
        )
