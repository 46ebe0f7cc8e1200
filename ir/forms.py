"""The words in which operators describe themselves: rows, accuracy, integers."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tinyc.ir.value import Value


class RowMode(enum.Enum):
    """What stands for input rows outside the tensor: a row of the pad value, or nothing (the window shrinks)."""

    FILL = "fill"
    CLIP = "clip"


@dataclass(frozen=True)
class Window:
    """Which rows of an operand one output row reads: row `r` reads rows `r * stride - pad + k * dilation`, k < size."""

    size: int = 1
    stride: int = 1
    dilation: int = 1
    pad: int = 0
    mode: RowMode = RowMode.FILL

    def rows(self, row: int) -> tuple[int, ...]:
        """The rows read by output row `row`; some may lie outside the operand."""
        first = row * self.stride - self.pad
        return tuple(first + k * self.dilation for k in range(self.size))

    @property
    def is_pointwise(self) -> bool:
        """Whether output row r reads input row r and no other."""
        return self == Window()


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
    """A sum or product of two tensors: any scales."""
    MEAN = "mean"
    """A mean over rows and columns: any scales."""
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
    """

    form: Form
    operands: tuple[Value, ...]
    constants: tuple[Value, ...] = ()


@dataclass(frozen=True)
class StaysFloat:
    """That an operator has no form in integers, and why."""

    reason: str
