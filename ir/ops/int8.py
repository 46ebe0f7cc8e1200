"""What the integer operators share: checks of their fields, the step from int32 sums to int8 results, random fields.

A real value is scale * (q - zero). Scales are gone by the time integer operators exist: a pass has turned them into
multipliers and shifts (`tinyc.ir.fixed_point`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinyc.ir import fixed_point
from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import IntegerForm, OfRows, Op, RowForm, StaysFloat, Value, Window
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
    to = DType.I8
    """The element type of the result: a field of those that may give int16."""

    def is_wide(self) -> bool:
        """Whether int16 has a part in it: as an operand, or as the result."""
        return self.to is DType.I16 or any(v.dtype is DType.I16 for v in activations_of(self))

    def check_result(self) -> None:
        """Raises `IRError` unless zero point and limits are values of the result's type, the limits in order."""
        check_output(self.to, self.min, self.max, self.out_zero)

    def zero_point(self) -> int | None:
        return self.out_zero


class OneFactor(Requantised):
    """Base of those whose sums all have the same factor."""

    multiplier: int
    shift: int

    def narrowed(self, total: Array) -> Array:
        """Results of sums."""
        return narrow(total, self.multiplier, self.shift, self.out_zero, self.min, self.max, self.to)

    def check_sums(self, largest: int, bound: int) -> None:
        """Raises `IRError` unless sums of at most `bound` can be requantised, with a shift of at most `largest`."""
        check_factor(self.multiplier, self.shift, largest, bound, self.is_wide())


class OfPair(Requantised):
    """Base of those of two activations, each with a zero point of its own."""

    x: Value
    y: Value
    x_zero: int
    y_zero: int

    def check_types(self) -> None:
        """Raises `IRError` unless operands and result, with their zero points, have types that activations have."""
        check_activation(self.x, self.x_zero)
        check_activation(self.y, self.y_zero)
        self.check_result()


class RowByRow(OfRows):
    """Base of those whose rows are made of the same rows of x, with all of the other operands; the result may lie where
    x does."""

    x: Value

    def may_overwrite(self, operand: int) -> bool:
        return operand == 0 and self.x.type == self.type

    def runs_whole(self) -> bool:
        return True

    def row_form(self) -> RowForm | None:
        rest = (None,) * (len(self.operands) - 1)
        return RowForm((Window(), *rest)) if self.x.type.has_rows else None


class OfElements(RowByRow):
    """Base of those that make each element of the result of the one element of x in its place, and of tables."""

    def elementwise(self) -> bool:
        return True


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

    def runs_whole(self) -> bool:
        return True

    def row_form(self) -> RowForm | None:
        """Each row by itself, where not over rows."""
        rest = (None,) * (len(self.operands) - 1)
        return RowForm((Window(), *rest)) if self.x.type.has_rows and 1 not in self.axes else None


def narrow(
    total: Array,
    multiplier: Array | int,
    shift: Array | int,
    zero: int,
    low: int,
    high: int,
    to: DType = DType.I8,
) -> Array:
    """int8 or int16 results of sums: requantised, moved by the zero point and limited to low..high."""
    return np.clip(fixed_point.requantise(total, multiplier, shift) + zero, low, high).astype(to.numpy)


def activations_of(op: Op) -> list[Value]:
    """The operands of an integer operator that are activations, not constants of it: x, and y where it has one."""
    return [v for name in ("x", "y") if isinstance(v := getattr(op, name, None), Value)]


def furthest(dtype: DType, zero: int) -> int:
    """How far an integer of this type may be from its zero point; of int8, whatever that is."""
    low, high = dtype.limits
    return high - low if dtype is DType.I8 else max(high - zero, zero - low)


def check_channels(channels: int, bias: Value | None = None, wide: bool = False, **vectors: Value) -> None:
    """Raises `IRError` unless each vector is int32 with one entry a channel; biases may be int64 where `wide`."""
    if bias is not None and not (wide and bias.type == TensorType((channels,), DType.I64)):
        vectors = {"bias": bias, **vectors}
    for name, value in vectors.items():
        if value.type != TensorType((channels,), DType.I32):
            raise IRError(f"{name} {value.type} is not int32 with one entry an output channel ({channels})")


def check_int8(*values: Value) -> None:
    """Raises `IRError` unless all values are int8."""
    for value in values:
        if value.dtype is not DType.I8:
            raise IRError(f"{value} is {value.type}, not int8")


def check_activation(value: Value, *zeros: int) -> None:
    """Raises `IRError` unless a value is int8 or int16, and zero points are such integers."""
    if value.dtype not in (DType.I8, DType.I16):
        raise IRError(f"{value} is {value.type}, not int8 or int16")
    low, high = value.dtype.limits
    if not all(low <= zero <= high for zero in zeros):
        raise IRError(f"the zero points {list(zeros)} of {value} are {value.dtype.numpy.name} values")


def check_output(to: DType, low: int, high: int, *zeros: int) -> None:
    """Raises `IRError` unless a result is int8 or int16, limits and zero points are such values, and the limits are in
    order."""
    if to not in (DType.I8, DType.I16):
        raise IRError(f"gives int8 or int16, not {to.value}")
    least, most = to.limits
    if not least <= low <= high <= most or not all(least <= z <= most for z in zeros):
        bits = 8 * to.bytes
        raise IRError(f"limits {low}..{high} and zero points {list(zeros)} are int{bits} values, the limits in order")


def check_factor(multiplier: int, shift: int, largest: int, bound: int, wide: bool = False) -> None:
    """Raises `IRError` unless the factor is one that sums of at most `bound` can be requantised by, its shift at most
    `largest`; in int64 if `wide`."""
    if not 0 <= multiplier <= fixed_point.INT32[1] or not -31 <= shift <= largest:
        raise IRError(f"a multiplier is 0 to 2^31 - 1 and its shift -31 to {largest}, not {multiplier} and {shift}")
    if not fixed_point.fits(bound, shift, wide):
        raise IRError(f"sums of up to {bound} shifted left by {shift} do not fit {'46 bits' if wide else 'int32'}")


# Random fields: at their corners, with sums up to the limits of int32. Whatever is made of them is computed in int32
# without overflow (`fixed_point.fits`), since C has no meaning for the rest.

LARGEST_SUM = fixed_point.INT32[1] - 128
"""What an accumulator may hold, so that a zero point can still be added."""


ACTIVATIONS = (DType.I8, DType.I8, DType.I16)
"""The element types of activations, the first the likelier."""


def drawn_zero(draw: Draw, dtype: DType = DType.I8) -> int:
    """A zero point."""
    low, high = dtype.limits
    return draw.choice([low, high, 0, draw.integer(low, high)])


def drawn_output(draw: Draw) -> dict[str, int]:
    """An int8 result's zero point and limits."""
    found = drawn_result(draw, (DType.I8,))
    return {name: found[name] for name in ("out_zero", "min", "max")}


def drawn_result(draw: Draw, among: Sequence[DType] = ACTIVATIONS) -> dict[str, Any]:
    """A result's type, zero point and limits."""
    to = draw.choice(among)
    least, most = to.limits
    zero = drawn_zero(draw, to)
    low, high = sorted(draw.pair(least, most))
    limits = draw.choice([(least, most), (least, most), (zero, most), (low, high)])
    return {"out_zero": zero, "min": limits[0], "max": limits[1], "to": to}


def drawn_multiplier(draw: Draw) -> int:
    """A multiplier, at times a corner."""
    return draw.choice([2**30, 2**31 - 1, 2**30 + 1, 0, 1]) if draw.chance(0.2) else draw.integer(2**30, 2**31 - 1)


def drawn_shift(draw: Draw, typical: int, bound: int, to: DType = DType.I8, wide: bool = False) -> int:
    """A shift that brings sums as large as `typical` to the size of the result, or a corner; sums of at most `bound`
    stay in int32, or in `WIDE_SUM` if `wide`."""
    room = fixed_point.WIDE_SUM if wide else LARGEST_SUM
    largest = min((room // max(bound, 1)).bit_length() - 1, 30)
    wanted = 8 * to.bytes - 1 - typical.bit_length() + draw.integer(-1, 2)
    chosen = draw.choice([-31, largest, 0, draw.integer(-31, largest)]) if draw.chance(0.2) else wanted
    return max(-31, min(chosen, largest))


def drawn_sum(draw: Draw, operand: DType, count: int) -> dict[str, Any]:
    """Fields of a sum of `count` integers of an element type: its zero point, factor and result."""
    zero = drawn_zero(draw, operand)
    return {"zero": zero, **_drawn_requantised(draw, furthest(operand, zero) * count, 3, operand)}


def drawn_products(draw: Draw, x: DType, y: DType, count: int = 1) -> dict[str, Any]:
    """The same of a sum of `count` products of integers of two element types."""
    zeros = drawn_zero(draw, x), drawn_zero(draw, y)
    bound = furthest(x, zeros[0]) * furthest(y, zeros[1]) * count
    return {"x_zero": zeros[0], "y_zero": zeros[1], **_drawn_requantised(draw, bound, 12, x, y)}


def _drawn_requantised(draw: Draw, bound: int, parts: int, *operands: DType) -> dict[str, Any]:
    """Factor and result of sums of at most `bound`, a typical one of which is one of so many parts of that."""
    result = drawn_result(draw)
    wide = DType.I16 in (*operands, result["to"])
    shift = drawn_shift(draw, max(bound // parts, 1), bound, result["to"], wide)
    return {"multiplier": drawn_multiplier(draw), "shift": shift, **result}


def drawn_channels(
    draw: Draw, count: int, products: int, operand: DType = DType.I8, to: DType = DType.I8
) -> dict[str, Value]:
    """Bias, multipliers and shifts of channels that sum so many products each. Biases of every third channel are as
    large as int32 allows beside the products and the shift; those of int16 operands may be int64."""
    far, wide = -operand.limits[0], DType.I16 in (operand, to)
    bound = 128 * far * products
    long = operand is DType.I16 and draw.chance(0.3)
    shifts = [drawn_shift(draw, 40 * far * products, bound, to, wide) for _ in range(count)]
    biases = []
    for places in shifts:
        room = (fixed_point.WIDE_SUM if wide else LARGEST_SUM) >> max(places, 0)
        rest = max(min(room - bound, room if long else LARGEST_SUM), 0)
        small = min(rest, 24 * far * products)
        biases.append(draw.choice([rest, -rest]) if draw.chance(0.3) else draw.integer(-small, small))
    multipliers = [drawn_multiplier(draw) for _ in range(count)]
    vectors = {"multiplier": multipliers, "shift": shifts}
    bias = draw.given(np.array(biases, np.int64 if long else np.int32))
    return {"b": bias, **{name: draw.given(np.array(v, np.int32)) for name, v in vectors.items()}}
