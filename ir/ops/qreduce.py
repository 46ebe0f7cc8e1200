"""Integer sums over dimensions that follow each other. Those over rows and columns that are gathered are `qmean`."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import Op, RowForm, Value, Window
from tinyc.ir.ops.int8 import (
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


@dataclass(frozen=True)
class QSum(Requantised, mnemonic="qsum"):
    """int8 sum or mean over `axes`, ascending and without a gap, which stay with size 1.

    y = clamp(requantise(sum of (x - zero), multiplier, shift) + out_zero, min, max); of a mean, 1 / count is in the
    multiplier.
    """

    x: Value
    axes: tuple[int, ...]
    zero: int
    multiplier: int
    shift: int
    out_zero: int = 0
    min: int = -128
    max: int = 127

    @classmethod
    def sample(cls, draw: Draw) -> QSum:
        x = draw.value((DType.I8,), 1)
        first, last = sorted((draw.integer(0, x.type.rank - 1), draw.integer(0, x.type.rank - 1)))
        axes = tuple(range(first, last + 1))
        count = math.prod(x.shape[a] for a in axes)
        factor = drawn_multiplier(draw), drawn_shift(draw, 70 * count, 255 * count)
        return cls(x, axes, drawn_zero(draw), *factor, **drawn_output(draw))

    def infer(self) -> TensorType:
        check_int8(self.x)
        check_limits(self.min, self.max, self.zero, self.out_zero)
        first, rank = (self.axes or (-1,))[0], self.x.type.rank
        if self.axes != tuple(range(first, first + len(self.axes))) or first < 0 or first + len(self.axes) > rank:
            raise IRError(f"axes {list(self.axes)} are not dimensions of {self.x.type} that follow each other")
        if not self.count():
            raise IRError(f"a sum over no elements of {self.x.type}")
        check_factor(self.multiplier, self.shift, 30, 255 * self.count())
        return TensorType(tuple(1 if d in self.axes else n for d, n in enumerate(self.x.shape)), DType.I8)

    def count(self) -> int:
        """Elements of a sum."""
        return math.prod(self.x.shape[a] for a in self.axes)

    def evaluate(self, *operands: Array) -> Array:
        total = (operands[0].astype(np.int64) - self.zero).sum(axis=self.axes, keepdims=True)
        return narrow(total, self.multiplier, self.shift, self.out_zero, self.min, self.max)

    def runs_whole(self) -> bool:
        return True

    def row_form(self) -> RowForm | None:
        """Each row by itself, where not over rows."""
        return RowForm((Window(),)) if self.x.type.has_rows and 1 not in self.axes else None

    def row_op(self, rows: int, valid: int) -> Op:
        return dataclasses.replace(self, x=self.x.with_rows(rows))
