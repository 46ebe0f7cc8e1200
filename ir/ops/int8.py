"""What the integer operators share: checks of their fields, and the step from int32 sums to int8 results.

A real value is scale * (q - zero). Scales are gone by the time integer operators exist: a pass has turned them into
multipliers and shifts (`tinyc.ir.fixed_point`).
"""

from __future__ import annotations

import numpy as np

from tinyc.ir import fixed_point
from tinyc.ir.errors import IRError
from tinyc.ir.op import IntegerForm, Op, StaysFloat, Value
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


class Int8(Op):
    """Base of the operators on int8 that a quantised network consists of."""

    def quantised(self) -> IntegerForm | StaysFloat:
        return StaysFloat("it computes on integers already")


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
