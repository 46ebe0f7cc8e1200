"""What the integer operators share: checks of their fields, the step from int32 sums to int8 results, random fields.

A real value is scale * (q - zero). Scales are gone by the time integer operators exist: a pass has turned them into
multipliers and shifts (`tinyc.ir.fixed_point`).
"""

from __future__ import annotations

import math

import numpy as np

from tinyc.ir import fixed_point
from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import IntegerForm, OfRows, Op, StaysFloat, Value
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


class Int8(Op):
    """Base of the operators on int8 that a quantised network consists of."""

    def quantised(self) -> IntegerForm | StaysFloat:
        return StaysFloat("it computes on integers already")


class Requantised(Int8):
    """Base of those whose result is `narrow`: sums that are requantised, moved by the zero point and limited."""

    out_zero: int
    min: int
    max: int

    def zero_point(self) -> int | None:
        return self.out_zero


class OneFactor(Requantised):
    """Base of those whose sums all have the same factor."""

    multiplier: int
    shift: int

    def narrowed(self, total: Array) -> Array:
        """int8 results of int32 sums."""
        return narrow(total, self.multiplier, self.shift, self.out_zero, self.min, self.max)


class OverAxes(OfRows):
    """Base of those that look at all elements over `axes` of x together, which are ascending and without a gap."""

    x: Value
    axes: tuple[int, ...]

    @staticmethod
    def drawn_axes(draw: Draw, x: Value) -> tuple[int, ...]:
        """Random axes."""
        first, last = sorted((draw.integer(0, x.type.rank - 1), draw.integer(0, x.type.rank - 1)))
        return tuple(range(first, last + 1))

    def check_axes(self) -> None:
        """Raises `IRError` unless the axes are such dimensions of x."""
        first, rank = (self.axes or (-1,))[0], self.x.type.rank
        if self.axes != tuple(range(first, first + len(self.axes))) or first < 0 or first + len(self.axes) > rank:
            raise IRError(f"axes {list(self.axes)} are not dimensions of {self.x.type} that follow each other")

    def count(self) -> int:
        """Elements that are looked at together."""
        return math.prod(self.x.shape[a] for a in self.axes)


def narrow(total: Array, multiplier: Array | int, shift: Array | int, zero: int, low: int, high: int) -> Array:
    """int8 results of int32 sums: requantised, moved by the zero point and limited to low..high."""
    return np.clip(fixed_point.requantise(total, multiplier, shift) + zero, low, high).astype(np.int8)


def check_channels(channels: int, **vectors: Value) -> None:
    """Raises `IRError` unless each vector is int32 with one entry a channel."""
    for name, value in vectors.items():
        if value.type != TensorType((channels,), DType.I32):
            raise IRError(f"{name} {value.type} is not int32 with one entry an output channel ({channels})")


def check_int8(*values: Value) -> None:
    """Raises `IRError` unless all values are int8."""
    for value in values:
        if value.dtype is not DType.I8:
            raise IRError(f"{value} is {value.type}, not int8")


def check_limits(low: int, high: int, *zeros: int) -> None:
    """Raises `IRError` unless limits and zero points are int8 values and the limits are in order."""
    if not -128 <= low <= high <= 127 or not all(-128 <= z <= 127 for z in zeros):
        raise IRError(f"limits {low}..{high} and zero points {list(zeros)} are int8 values, the limits in order")


def check_factor(multiplier: int, shift: int, largest: int, bound: int) -> None:
    """Raises `IRError` unless the factor is one that sums of at most `bound` can be requantised by, its shift at most
    `largest`."""
    if not 0 <= multiplier <= fixed_point.INT32[1] or not -31 <= shift <= largest:
        raise IRError(f"a multiplier is 0 to 2^31 - 1 and its shift -31 to {largest}, not {multiplier} and {shift}")
    if not fixed_point.fits(bound, shift):
        raise IRError(f"sums of up to {bound} shifted left by {shift} do not fit int32")


# Random fields: at their corners, with sums up to the limits of int32. Whatever is made of them is computed in int32
# without overflow (`fixed_point.fits`), since C has no meaning for the rest.

LARGEST_SUM = fixed_point.INT32[1] - 128
"""What an accumulator may hold, so that a zero point can still be added."""


def drawn_zero(draw: Draw) -> int:
    """A zero point."""
    return draw.choice([-128, 127, 0, draw.integer(-128, 127)])


def drawn_output(draw: Draw) -> dict[str, int]:
    """The result's zero point and limits."""
    zero = drawn_zero(draw)
    low, high = sorted(draw.pair(-128, 127))
    limits = draw.choice([(-128, 127), (-128, 127), (zero, 127), (low, high)])
    return {"out_zero": zero, "min": limits[0], "max": limits[1]}


def drawn_multiplier(draw: Draw) -> int:
    """A multiplier, at times a corner."""
    return draw.choice([2**30, 2**31 - 1, 2**30 + 1, 0, 1]) if draw.chance(0.2) else draw.integer(2**30, 2**31 - 1)


def drawn_shift(draw: Draw, typical: int, bound: int) -> int:
    """A shift that brings sums as large as `typical` to the size of int8, or a corner; sums of at most `bound` stay in
    int32."""
    largest = (LARGEST_SUM // max(bound, 1)).bit_length() - 1
    wanted = 7 - typical.bit_length() + draw.integer(-1, 2)
    chosen = draw.choice([-31, largest, 0, draw.integer(-31, largest)]) if draw.chance(0.2) else wanted
    return max(-31, min(chosen, largest))


def drawn_channels(draw: Draw, count: int, products: int) -> dict[str, Value]:
    """Bias, multipliers and shifts of channels that sum so many products each. Biases of every third channel are as
    large as int32 allows beside the products and the shift."""
    bound = 128 * 128 * products
    shifts = [drawn_shift(draw, 5000 * products, bound) for _ in range(count)]
    biases = []
    for places in shifts:
        rest = (LARGEST_SUM >> max(places, 0)) - bound
        small = min(rest, 3000 * products)
        biases.append(draw.choice([rest, -rest]) if draw.chance(0.3) else draw.integer(-small, small))
    multipliers = [drawn_multiplier(draw) for _ in range(count)]
    vectors = {"b": biases, "multiplier": multipliers, "shift": shifts}
    return {name: draw.given(np.array(v, np.int32)) for name, v in vectors.items()}
