"""Rows by number, as resizing and padding by elements that are there already take them: in even steps, and those at
the border again."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.forms import RowForm, RowMode, Window
from tinyc.ir.op import Op, Value
from tinyc.ir.ops.elementwise import Copy
from tinyc.ir.ops.movement import Movement
from tinyc.ir.tensor import Array
from tinyc.ir.types import TensorType

LONGEST = 1 << 30
"""What products of row numbers may not reach: C computes them in 32 bits."""
HALVINGS = 80
"""How often an interval of floats is divided until nothing is left of it."""
ROUNDING = 1e-9
"""What of row numbers may be the rounding of floats."""


@dataclass(frozen=True)
class TakeRows(Movement, mnemonic="take_rows"):
    """Row y of the result is row (y * stride - pad) / times of the operand, rounded down. Of rows outside it is the
    nearest row, or with `reflect` the one as far inside."""

    x: Value
    count: int
    stride: int = 1
    pad: int = 0
    times: int = 1
    reflect: bool = False

    @classmethod
    def sample(cls, draw: Draw) -> TakeRows:
        x = draw.anything(3)
        if x.shape[1] > 1 and draw.chance(0.3):
            before, after = draw.pair(0, min(x.shape[1] - 1, 2))
            return cls(x, x.shape[1] + before + after, pad=before, reflect=True)
        stride, times = draw.choice([(1, 1), (1, 2), (1, 3), (2, 3), (3, 2), (2, 1)])
        return cls(x, draw.integer(1, 2 * x.shape[1]), stride, draw.integer(-2, 2), times)

    def window(self) -> Window:
        """Which row is taken."""
        mode = RowMode.REFLECT if self.reflect else RowMode.EDGE
        return Window(stride=self.stride, pad=self.pad, mode=mode, times=self.times)

    def infer(self) -> TensorType:
        if not self.x.type.has_rows or not self.x.shape[1]:
            raise IRError(f"takes what has rows, not {self.x.type}")
        if min(self.count, self.stride, self.times) < 1:
            raise IRError("count, stride and times are 1 or more")
        if self.count * self.stride + abs(self.pad) >= LONGEST:
            raise IRError(f"numbers of rows are below {LONGEST}")
        if self.reflect:
            last = self.x.shape[1] - 1
            if (self.stride, self.times) != (1, 1):
                raise IRError("what is reflected is taken row after row")
            if self.pad > last or self.count - 1 - self.pad > 2 * last:
                raise IRError(f"reaches further outside {self.x.type} than its rows reach inside")
        return TensorType((1, self.count, *self.x.shape[2:]), self.x.dtype)

    def is_identity(self) -> bool:
        return self.x.type == self.type and (self.stride, self.pad, self.times) == (1, 0, 1)

    def numbers(self) -> Array:
        """The number of the operand's row that each row of the result is, [count] int64."""
        return np.asarray(self.window().read(np.arange(self.count), self.x.shape[1])[:, 0], np.int64)

    def evaluate(self, *operands: Array) -> Array:
        return np.take(operands[0], self.numbers(), axis=1)

    def row_form(self) -> RowForm | None:
        return RowForm((self.window(),))

    def row_op(self, rows: int, valid: int) -> Op:
        return Copy(self.x.with_rows(rows))


def rows_taken(x: Value, numbers: Array) -> TakeRows | None:
    """The operator that takes the rows of these numbers, [rows]; None where they are not in even steps, held within the
    operand or reflected at its first and last row."""
    if not x.type.has_rows or not x.shape[1] or not numbers.size:
        return None
    reflected = _reflected(x, numbers)
    if reflected is not None:
        return reflected
    last = x.shape[1] - 1
    if (np.diff(numbers) < 0).any() or numbers[0] < 0 or numbers[-1] > last:
        return None
    steps = [Fraction(x.shape[1], len(numbers)), _simplest_step(numbers, last)]
    return next((found for step in steps if step is not None and (found := _held(x, numbers, step))), None)


def _simplest_step(numbers: Array, last: int) -> Fraction | None:
    """The simplest fraction s for which there is a number b so that floor(y * s + b), held within 0..last, is number y;
    None where there is none. Found in floats: whether it does is for others to see."""
    y = np.arange(len(numbers))

    def room(step: float) -> float:
        """How much b may vary; concave."""
        high, low = (numbers + 1 - step * y)[numbers < last], (numbers - step * y)[numbers > 0]
        return float(high.min(initial=np.inf) - low.max(initial=-np.inf))

    low, high = 0.0, float(last + 1)
    for _ in range(HALVINGS):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (left, high) if room(left) < room(right) else (low, right)
    best = (low + high) / 2
    if not ROUNDING < room(best) < np.inf:
        return None
    ends = []
    for outside in (0.0, float(last + 1)):
        inside = best
        for _ in range(HALVINGS):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if room(middle) > ROUNDING else (inside, middle)
        ends.append(inside)
    return _simplest(*(Fraction(end) for end in ends))


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """The fraction in low..high, which are positive, that has the least denominator."""
    whole = -(-low.numerator // low.denominator)
    if whole <= high:
        return Fraction(whole)
    under = whole - 1
    return under + 1 / _simplest(1 / (high - under), 1 / (low - under))


def _held(x: Value, numbers: Array, step: Fraction) -> TakeRows | None:
    """Rows in steps of a fraction, none before the first or behind the last."""
    if step <= 0:
        return None
    stride, times, last = step.numerator, step.denominator, x.shape[1] - 1
    # Row y is number n, so that n * times <= y * stride - pad < (n + 1) * times; at the border one side is enough.
    at = np.arange(len(numbers)) * stride
    low = (numbers * times - at)[numbers > 0]
    high = ((numbers + 1) * times - at - 1)[numbers < last]
    least = int(low.max()) if low.size else int(high.min()) if high.size else 0
    return _checked(x, numbers, stride=stride, pad=-least, times=times)


def _reflected(x: Value, numbers: Array) -> TakeRows | None:
    """All rows in order, and before and behind them some as in a mirror."""
    begin = np.flatnonzero(numbers == 0)
    if len(numbers) < x.shape[1] or not begin.size:
        return None
    ways = (_checked(x, numbers, pad=int(pad), reflect=True) for pad in (begin[0], begin[-1]))
    return next((found for found in ways if found is not None), None)


def _checked(x: Value, numbers: Array, **how: Any) -> TakeRows | None:
    """The operator, where it takes the rows of these numbers."""
    try:
        op = TakeRows(x, len(numbers), **how)
    except IRError:
        return None
    return op if np.array_equal(op.numbers(), numbers) else None
