"""Facts about values that several passes ask for."""

from __future__ import annotations

import math

import numpy as np

from tinyc.ir.op import Value
from tinyc.ir.ops import (
    Abs,
    Clamp,
    Concat,
    Constant,
    Dense,
    Maximum,
    MaxPool2d,
    Pad,
    ReduceMax,
    Reshape,
    Sigmoid,
    Slice,
    Transpose,
)
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.core.rewrite import Rewriter


def uniform(array: Array | None) -> float | None:
    """The number that all elements of an array are, if there is one and a Python float holds it exactly."""
    if array is None or array.size == 0 or array.dtype == np.bool_ or not (array == array.flat[0]).all():
        return None
    number = array.flat[0].item()
    return float(number) if math.isinf(number) or int(number) != number or int(float(number)) == number else None


def stored(value: float, dtype: DType) -> float:
    """A float attribute as an element of this type holds it."""
    return float(dtype.numpy.type(value)) if dtype.is_float else float(int(value))


def intersect(low: float, high: float, then_low: float, then_high: float) -> tuple[float, float]:
    """The limits that do what limiting to [low, high] and then to [then_low, then_high] does.

    Where the two do not meet, everything lands on the nearer end of the second.
    """
    return min(max(low, then_low), then_high), max(min(high, then_high), then_low)


def lower_bound(value: Value, rewriter: Rewriter) -> float:
    """A number that no element of a value is below, NaN apart; -inf when nothing is known."""
    node = rewriter.producer(value)
    op = node.op if node is not None else None
    if isinstance(op, Constant):
        return float(op.data.array.min()) if op.type.size and not np.isnan(op.data.array).any() else -math.inf
    if isinstance(op, (Clamp, Convolution, Dense)):
        return stored(op.min, op.type.dtype) if op.min > -math.inf else -math.inf
    if isinstance(op, (Reshape, Transpose, Slice, MaxPool2d, ReduceMax)):
        return lower_bound(op.x, rewriter)
    if isinstance(op, Pad):
        return min(lower_bound(op.x, rewriter), stored(op.value, op.type.dtype))
    if isinstance(op, Concat):
        return min(lower_bound(x, rewriter) for x in op.xs)
    if isinstance(op, Maximum):
        return max(lower_bound(op.x, rewriter), lower_bound(op.y, rewriter))
    if isinstance(op, Sigmoid) or (isinstance(op, Abs) and op.type.dtype.is_float):
        return 0.0
    return -math.inf
