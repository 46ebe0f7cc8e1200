"""The words in which operators describe themselves: rows, accuracy, integers."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.value import Value

Numbers = NDArray[np.int64]


class RowMode(enum.Enum):
    """What stands for input rows outside the tensor: a row of the pad value, nothing (the window shrinks), the row
    nearest to it, or the row as far inside as it is outside."""

    FILL = "fill"
    CLIP = "clip"
    EDGE = "edge"
    REFLECT = "reflect"

    @property
    def inside(self) -> bool:
        """Whether some row of the tensor stands for each row outside."""
        return self in (RowMode.EDGE, RowMode.REFLECT)


@dataclass(frozen=True)
class Window:
    """Which rows of an operand one output row reads: row `r` reads rows `(r * stride - pad + k * dilation) / times`,
    k < size. Rounded down, where rows inside stand for those outside; else, what is no whole number is a row outside.
    """

    size: int = 1
    stride: int = 1
    dilation: int = 1
    pad: int = 0
    mode: RowMode = RowMode.FILL
    times: int = 1

    def rows(self, row: int, height: int) -> tuple[int, ...]:
        """The rows of an operand of so many that output row `row` reads; some may lie outside."""
        if not self.is_even:
            return tuple(int(r) for r in self.read(np.array([row]), height)[0])
        first = row * self.stride - self.pad
        return tuple(first + k * self.dilation for k in range(self.size))

    def read(self, rows: Numbers, height: int) -> Numbers:
        """The rows of an operand of so many that these output rows read, [rows, size]. Some may lie outside."""
        at: Numbers = rows[:, None] * self.stride - self.pad + np.arange(self.size) * self.dilation
        if self.times > 1:
            whole = at // self.times
            at = whole if self.mode.inside else np.where(at % self.times, -1, whole)
        if self.mode is RowMode.EDGE:
            return np.clip(at, 0, height - 1)
        if self.mode is RowMode.REFLECT:
            at = abs(at)
            return np.where(at < height, at, 2 * (height - 1) - at)
        return at

    @property
    def is_even(self) -> bool:
        """Whether the window moves by the same number of rows from each output row to the next."""
        return self.times == 1 and not self.mode.inside

    @property
    def is_pointwise(self) -> bool:
        """Whether output row r reads input row r and no other."""
        return self == Window()

    def pace(self, rows: int) -> tuple[int, int]:
        """How many rows of the operand, in the time of how many output rows: where these are so many in all, the window
        never is a row or more from there. The second is as small as can be, so that a map of 7 rows of which 13 are
        made goes with one of 13 of which every second was taken."""
        if self.is_even or not self.mode.inside:
            common = gcd(self.stride, self.times)
            return self.stride // common, self.times // common
        exact = Fraction(self.stride, self.times)
        for times in range(1, exact.denominator):
            near = round(exact * times)
            if near and abs(Fraction(near, times) - exact) * rows < 1:
                return near, times
        return exact.numerator, exact.denominator


@dataclass(frozen=True)
class RowForm:
    """How an operator falls into rows (axis 1 of a rank-4 NHWC tensor).

    `windows` has one entry an operand, in operand order; `None` where the operand is read whole.
    """

    windows: tuple[Window | None, ...]


class Accuracy(enum.Enum):
    """How near any right implementation of an operator in float comes to `evaluate`."""

    EXACT = "the same bits: it moves elements, or rounds each result of IEEE arithmetic as it is defined"
    FUNCTION = "functions of a mathematical library, each within about 2 units in the last place"
    SUM = "a sum in another order, or of another width: relative to its largest partial sum"


class Form(enum.Enum):
    """How an operator computes on int8, and what that asks of scales."""

    LAYER = "layer"
    """A convolution or dense layer: int32 sums, any scale in and out."""
    BINARY = "binary"
    """A sum, product or quotient of two tensors: any scales."""
    PRODUCT = "product"
    """A matrix product of two activations: int32 sums, any scales."""
    MEAN = "mean"
    """A sum or mean over dimensions: any scales."""
    TOGETHER = "together"
    """Operators of one tensor that an integer operator computes together, a norm say: any scales."""
    SOFTMAX = "softmax"
    """The result's scale is fixed."""
    TABLE = "table"
    """Elementwise operators of one tensor, together a table of 256 entries: any scales."""
    RECURRENT = "recurrent"
    """A recurrent layer: int32 sums, its state in integers as well; any scale in, and one for state and result."""
    SHARING = "sharing"
    """Moves, selects or averages numbers: operands and result have one scale."""


@dataclass(frozen=True)
class IntegerForm:
    """That an operator on floats becomes one on integers when it is quantised.

    Attributes:
        form: how.
        operands: those that are quantised like activations.
        constants: those that have to be constants, weights say.
        wide: whether operands and result may be int16 as well, each for itself.
    """

    form: Form
    operands: tuple[Value, ...]
    constants: tuple[Value, ...] = ()
    wide: bool = True


@dataclass(frozen=True)
class StaysFloat:
    """That an operator has no form in integers, and why."""

    reason: str
