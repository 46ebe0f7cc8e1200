"""Operators that go along one dimension: the place of the largest element, the largest few, running sums, elements by
number.

All floats have an order in them: NaN is above infinity, and zeros of both signs are equal.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.expr import Arg
from tinyc.ir.forms import Form, IntegerForm, RowForm, StaysFloat, Window
from tinyc.ir.loops import Index, Loops, Via, contiguous
from tinyc.ir.op import Accuracy, FieldKind, OfRows, Value, fields_of
from tinyc.ir.ops.movement import Movement
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

NUMBERS = tuple(d for d in DType if d is not DType.BOOL)


class Along(OfRows):
    """Base of operators that go along the dimension `axis`. Operands and result have all other dimensions in common,
    and what is at one place of these depends on nothing elsewhere."""

    x: Value
    axis: int

    def check_axis(self) -> None:
        """Raises `IRError` where there is no such dimension."""
        if not 0 <= self.axis < self.x.type.rank:
            raise IRError(f"axis {self.axis} is not a dimension of {self.x.type}")

    def resized(self, size: int, dtype: DType) -> TensorType:
        """The type of `x` with another size of the dimension and of other elements."""
        return TensorType((*self.x.shape[: self.axis], size, *self.x.shape[self.axis + 1 :]), dtype)

    def around(self) -> tuple[int, int, int]:
        """How many elements `x` has in the dimensions before the axis, along it, and behind it."""
        shape = self.x.shape
        return math.prod(shape[: self.axis]), shape[self.axis], math.prod(shape[self.axis + 1 :])

    def moved(self, operands: Sequence[Value], axis: int) -> Along:
        """The same operator on other operands, along another dimension."""
        names = [spec.name for spec in fields_of(type(self)) if spec.kind is FieldKind.OPERAND]
        changes: dict[str, Any] = {"axis": axis, **dict(zip(names, operands, strict=True))}
        return dataclasses.replace(self, **changes)

    def row_form(self) -> RowForm | None:
        """Each row by itself, where the dimension is not that of rows."""
        if self.axis == 1 or not all(v.has_rows for v in (self.type, *(v.type for v in self.operands))):
            return None
        return RowForm((Window(),) * len(self.operands))


class Ranking(Along):
    """Base of operators that give the places of elements along `axis`, found by comparing them."""

    def check_numbers(self, count: int) -> None:
        """Raises `IRError` unless there are so many numbers to compare."""
        self.check_axis()
        if self.x.dtype is DType.BOOL:
            raise IRError(f"takes numbers, not {self.x.type}")
        if not 1 <= count <= self.x.shape[self.axis]:
            raise IRError(f"dimension {self.axis} of {self.x.type} has not {count} element(s)")

    def jumps(self) -> bool:
        return self.x.dtype.is_float

    def least(self, operands: Sequence[float]) -> float:
        return 0.0

    def runs_whole(self) -> bool:
        return True

    def quantised(self) -> StaysFloat:
        return StaysFloat("its operand is not quantised: it compares int8 or int16 values as they are")


@dataclass(frozen=True)
class ArgMost(Ranking):
    """Base of those that give one place. Of several equal elements it is the first, or with `last` the last."""

    largest: ClassVar[bool] = True

    x: Value
    axis: int
    last: bool = False

    @classmethod
    def sample(cls, draw: Draw) -> ArgMost:
        x = draw.value(NUMBERS, 1)
        return cls(x, draw.random.randrange(x.type.rank), draw.chance(0.3))

    def infer(self) -> TensorType:
        self.check_numbers(1)
        return self.resized(1, DType.I32)

    def best(self, x: Array) -> Array:
        """The element looked for."""
        raise NotImplementedError

    def evaluate(self, *operands: Array) -> Array:
        (x,) = operands
        best = self.best(x)
        first, last = _ends((x == best) | ((x != x) & (best != best)), self.axis)
        return last if self.last else first


@dataclass(frozen=True)
class ArgMax(ArgMost, mnemonic="arg_max"):
    """The place of the largest element along `axis`, which stays with size 1. Of several it is the first, or with
    `last` the last. NaN is the largest number."""

    def best(self, x: Array) -> Array:
        return np.asarray(x.max(axis=self.axis, keepdims=True))

    def spread(self, low: Array, high: Array) -> tuple[Array, Array]:
        return _ends(~(high < self.best(low)), self.axis)


@dataclass(frozen=True)
class ArgMin(ArgMost, mnemonic="arg_min"):
    """The place of the smallest element along `axis`, which stays with size 1. Of several it is the first, or with
    `last` the last. NaN is the largest number."""

    largest: ClassVar[bool] = False

    def best(self, x: Array) -> Array:
        return np.asarray(np.fmin.reduce(x, axis=self.axis, keepdims=True))

    def spread(self, low: Array, high: Array) -> tuple[Array, Array]:
        return _ends(~(low > self.best(high)), self.axis)


def _ends(found: Array, axis: int) -> tuple[Array, Array]:
    """The first and the last place along `axis` where something is found, which stays with size 1."""
    first = np.argmax(found, axis=axis)
    last = found.shape[axis] - 1 - np.argmax(np.flip(found, axis), axis=axis)
    return np.expand_dims(first, axis).astype(np.int32), np.expand_dims(last, axis).astype(np.int32)


@dataclass(frozen=True)
class TopK(Ranking, mnemonic="top_k"):
    """The places of the `count` largest elements along `axis`, or of the smallest, in this order; of equal ones the
    first comes first. NaN is the largest number."""

    x: Value
    axis: int
    count: int
    largest: bool = True

    @classmethod
    def sample(cls, draw: Draw) -> TopK:
        x = draw.value(NUMBERS, 1)
        axis = draw.random.randrange(x.type.rank)
        return cls(x, axis, draw.integer(1, x.shape[axis]), draw.chance(0.6))

    def infer(self) -> TensorType:
        self.check_numbers(self.count)
        return self.resized(self.count, DType.I32)

    def evaluate(self, *operands: Array) -> Array:
        order = in_order(operands[0], self.axis, self.largest)
        return np.take(order, np.arange(self.count), axis=self.axis).astype(np.int32)

    def spread(self, low: Array, high: Array) -> tuple[Array, Array]:
        lows, highs = (np.sort(a, axis=self.axis) for a in (low, high))
        ends = []
        for k in range(self.count):
            at = [self.x.shape[self.axis] - 1 - k if self.largest else k]
            least, most = (np.take(a, at, axis=self.axis) for a in (lows, highs))
            ends.append(_ends(~(high < least) & ~(low > most), self.axis))
        first, last = (np.concatenate(side, axis=self.axis) for side in zip(*ends, strict=True))
        return first, last


def in_order(x: Array, axis: int, largest: bool) -> Array:
    """The places of all elements along `axis`, the largest first, or else the smallest; of equal ones the first."""
    if not largest:
        return np.argsort(x, axis=axis, kind="stable")
    if x.dtype.kind != "f":
        return np.argsort(~x, axis=axis, kind="stable")
    return np.lexsort((-x, ~np.isnan(x)), axis=axis)


@dataclass(frozen=True)
class TakeAlong(Along, Movement, mnemonic="take_along"):
    """Takes elements along dimension `axis` by number: for each place of the result, that of the operand's element. A
    number is limited to the elements there are, never read beyond."""

    x: Value
    indices: Value
    axis: int

    @classmethod
    def sample(cls, draw: Draw) -> TakeAlong:
        x = draw.anything(1)
        axis = draw.random.randrange(x.type.rank)
        shape = (*x.shape[:axis], draw.integer(1, 4), *x.shape[axis + 1 :])
        new = TensorType(shape, draw.choice([d for d in DType if d.is_integer]))
        return cls(x, draw.pick(lambda v: v.dtype.is_integer and v.shape == shape, new), axis)

    def infer(self) -> TensorType:
        self.check_axis()
        x, indices = self.x.type, self.indices.type
        if not indices.dtype.is_integer:
            raise IRError(f"indices are integers, not {indices}")
        count = indices.shape[self.axis] if indices.rank == x.rank else -1
        if indices.shape != self.resized(max(count, 0), x.dtype).shape:
            raise IRError(f"indices have the shape of {x} but for dimension {self.axis}, not that of {indices}")
        if x.shape[self.axis] == 0:
            raise IRError(f"dimension {self.axis} of {x} has nothing to take")
        return TensorType(indices.shape, x.dtype)

    def evaluate(self, *operands: Array) -> Array:
        x, indices = operands
        limited = np.clip(indices.astype(np.int64), 0, x.shape[self.axis] - 1)
        return np.take_along_axis(x, limited, axis=self.axis)

    def loops(self) -> tuple[Loops, ...]:
        own, out = contiguous(self.x.shape), contiguous(self.type.shape)
        across = tuple(0 if d == self.axis else s for d, s in enumerate(own))
        source = Index(0, across, Via(1, own[self.axis], self.x.shape[self.axis]))
        return (Loops(self.type.shape, (source, Index(0, out)), Index(0, out), Arg(self.x.dtype, 0)),)


@dataclass(frozen=True)
class CumSum(Along, mnemonic="cum_sum", accuracy=Accuracy.SUM):
    """Sums along `axis`: of all elements up to each, without it if `exclusive`; `reverse` begins at the end. Integers
    wrap around."""

    x: Value
    axis: int
    exclusive: bool = False
    reverse: bool = False

    @classmethod
    def sample(cls, draw: Draw) -> CumSum:
        x = draw.value(NUMBERS, 1)
        return cls(x, draw.random.randrange(x.type.rank), draw.chance(0.3), draw.chance(0.3))

    def infer(self) -> TensorType:
        self.check_axis()
        if self.x.dtype is DType.BOOL:
            raise IRError(f"takes numbers, not {self.x.type}")
        return self.x.type

    def runs_whole(self) -> bool:
        return True

    def evaluate(self, *operands: Array) -> Array:
        return self._sums(operands[0], np.dtype(np.float64))

    def in_steps(self, fused: bool, *operands: Array) -> Array | None:
        return self._sums(operands[0], np.dtype(np.float32)) if self.x.dtype.is_float else None

    def _sums(self, x: Array, floats: np.dtype[np.generic]) -> Array:
        """Added up in a type of floats, or of the operand's own integers."""
        wide = x.astype(floats if self.x.dtype.is_float else x.dtype)
        return running_sums(wide, self.axis, self.exclusive, self.reverse)

    def quantised(self) -> IntegerForm:
        return IntegerForm(Form.MEAN, (self.x,))

    def resolution(self, scales: Sequence[float]) -> float:
        return scales[0]


def running_sums(x: Array, axis: int, exclusive: bool, reverse: bool) -> Array:
    """Sums of all elements up to each, one after the other, in the element type."""
    sums = np.cumsum(np.flip(x, axis) if reverse else x, axis=axis, dtype=x.dtype)
    if exclusive:
        sums = np.roll(sums, 1, axis=axis)
        sums[(slice(None),) * axis + (slice(0, 1),)] = 0
    return np.ascontiguousarray(np.flip(sums, axis) if reverse else sums)
