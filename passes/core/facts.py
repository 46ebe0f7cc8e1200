"""Facts about values that several passes ask for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from tinyc.ir.module import Node, made
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import Div, Mul
from tinyc.ir.tensor import Array
from tinyc.ir.types import TensorType
from tinyc.passes.core.rewrite import Rewriter


def uniform(array: Array | None) -> float | None:
    """The number that all elements of an array are, if there is one and a Python float holds it exactly."""
    if array is None or array.size == 0 or array.dtype == np.bool_ or not (array == array.flat[0]).all():
        return None
    number = array.flat[0].item()
    return float(number) if math.isinf(number) or int(number) != number or int(float(number)) == number else None


def scaled_by(node: Node, producer: Callable[[Value], Node | None]) -> tuple[Value, float] | None:
    """A value and the positive number by which it is multiplied, where an operator does just that."""
    product, quotient = made(node, Mul), made(node, Div)
    pairs: list[tuple[Value, ...]] = [quotient.op.operands] if quotient is not None else []
    pairs += [product.op.operands, product.op.operands[::-1]] if product is not None else []
    for value, other in pairs:
        known = producer(other)
        number = uniform(known.op.constant()) if known is not None else None
        if number is not None and 0.0 < number < math.inf and value.shape == node.result.shape:
            return value, number if product is not None else 1.0 / number
    return None


def intersect(low: float, high: float, then_low: float, then_high: float) -> tuple[float, float]:
    """The limits that do what limiting to [low, high] and then to [then_low, then_high] does.

    Where the two do not meet, everything lands on the nearer end of the second.
    """
    return min(max(low, then_low), then_high), max(min(high, then_high), then_low)


def lower_bound(value: Value, rewriter: Rewriter) -> float:
    """A number that no element of a value is below, NaN apart; -inf when nothing is known."""
    node = rewriter.producer(value)
    if node is None:
        return -math.inf
    constant = node.op.constant()
    if constant is not None:
        return float(constant.min()) if constant.size and not np.isnan(constant).any() else -math.inf
    return node.op.least([lower_bound(v, rewriter) for v in node.op.operands])


def channel_map(op: Op, place: int, constants: Mapping[int, Array]) -> tuple[Array, Array] | None:
    """a and b of `Op.affine`, one number of each for every channel (the last dimension of the result)."""
    found = op.affine(place, constants) if op.type.shape else None
    if found is None:
        return None
    a, b = (np.broadcast_to(n.astype(np.float64).reshape(-1), op.type.shape[-1:]) for n in found)
    return a, b


def image_of(type: TensorType) -> tuple[int, ...]:
    """The shape [1, rows, columns, channels] of elements whose last dimension is channels; what has rows keeps them."""
    rows = type.shape[1] if type.has_rows else 1
    return (1, rows, math.prod(type.shape[:-1]) // max(rows, 1), type.shape[-1])
