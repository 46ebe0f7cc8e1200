"""Sums, differences and products of two values, and scales and shifts of channels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinyc.ir import fixed_point
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import Add, Broadcast, Div, Lookup, Mul, QAdd, QDepthwiseConv2d, QDiv, QMul, Reshape, Sub
from tinyc.ir.ops.elementwise import Binary, Elementwise
from tinyc.ir.ops.qdiv import LEAST_PLACES, MOST, MOST_PLACES, MOST_WIDE
from tinyc.ir.ops.qelementwise import WIDE_LEFT, whole_sum
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.core.facts import channel_map, image_of
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, label_of
from tinyc.passes.integerise.layers import Int8Weights, numbers_of
from tinyc.passes.integerise.patterns import (
    INTEGERS,
    Activation,
    Match,
    activation,
    float_operand,
    real_constant,
)
from tinyc.passes.integerise.scales import INT8, Scale, multiplier, requantiser_of

LEFT = 20
"""Bits that the operands of a sum are shifted left by before they are scaled, as in TFLite."""


INTEGERS.refuse("a chain of elementwise operators of one value is a table", Elementwise)


def _channels_or(answer: Answer, other: Callable[[], Answer]) -> Answer:
    """The answer of `scale_channels`, or the other where that replaces nothing; of two reasons, the first."""
    if answer is not None:
        answer = dataclasses.replace(answer, label=label_of(scale_channels))
    found = None if isinstance(answer, Replaced) else other()
    return found if isinstance(found, Replaced) or answer is None else answer


def activations(values: Sequence[Value], rewriter: Rewriter, wide: bool = False) -> list[Activation] | Skip:
    """The int8 values behind all of some float values; if `wide` int16 values as well."""
    found = []
    for value in values:
        known = activation(value, rewriter, wide)
        if known is None:
            return float_operand(value)
        found.append(known)
    return found


def _spread(value: Value, shape: tuple[int, ...], rewriter: Rewriter) -> Value:
    """A value broadcast to a shape."""
    return value if value.shape == shape else rewriter.add(Broadcast(value, shape))


def _per_channel(value: Value, shape: tuple[int, ...]) -> bool:
    """Whether a value has one entry for each entry of the last dimension of a shape."""
    return bool(shape) and value.type.size == shape[-1] and value.shape[-1:] == shape[-1:]


def _spread_or_channels(value: Value, shape: tuple[int, ...], rewriter: Rewriter) -> Value:
    """A value broadcast to a shape, unless it has one entry a channel."""
    return value if _per_channel(value, shape) else _spread(value, shape, rewriter)


@INTEGERS(Add)
def add(match: Match[Add], rewriter: Rewriter) -> Answer:
    """Compute a sum on integers."""
    return _channels_or(scale_channels(match, rewriter), lambda: _sum(match, rewriter))


@INTEGERS(Sub)
def subtract(match: Match[Sub], rewriter: Rewriter) -> Answer:
    """Compute a difference on integers."""
    return _channels_or(scale_channels(match, rewriter), lambda: _sum(match, rewriter, negated=True))


def _sum(match: Match[Add] | Match[Sub], rewriter: Rewriter, negated: bool = False) -> Answer:
    """A sum of two values, the second one perhaps negated."""
    op = match.op
    operands = activations((op.x, op.y), rewriter, wide=True)
    if isinstance(operands, Skip):
        return operands
    x, y = operands
    factors = _sum_factors(x.scale, y.scale, match.out)
    if isinstance(factors, Skip):
        return factors
    shape = op.type.shape
    y_value, y_zero = y.value, y.scale.zero
    if negated:
        # -1 - q is a permutation of the integers, and stands for the negated value with the zero point -1 - zero.
        y_value, y_zero = rewriter.add(_complement(y_value, rewriter)), -1 - y_zero
    made = QAdd(
        _spread(x.value, shape, rewriter),
        _spread(y_value, shape, rewriter),
        x_zero=x.scale.zero,
        y_zero=y_zero,
        **factors,
        **match.result(),
    )
    return Replaced(made, match.absorbed)


def _complement(value: Value, rewriter: Rewriter) -> Op:
    """-1 - q of integers q."""
    if value.dtype is DType.I8:
        return Lookup(value, rewriter.constant_value(INT8[::-1].copy(), "complement"))
    return Sub(rewriter.constant_value(np.asarray(-1, value.dtype.numpy), "minus_one"), value)


def _sum_factors(x_scale: Scale, y_scale: Scale, out_scale: Scale) -> dict[str, Any] | Skip:
    """Multipliers and shifts of a sum, by the names that `QAdd` has for them.

    Whole factors, where there is room for them, are as good as any: operands are multiplied exactly, a sum is rounded
    once, and its error is at most 2^-8 of a step, mostly much less (`fixed_point.whole_factors`).
    """
    x, y, out = x_scale.scale, y_scale.scale, out_scale.scale
    narrow = x_scale.dtype is y_scale.dtype is DType.I8
    whole = fixed_point.whole_factors(x / out, y / out) if narrow and out_scale.dtype is DType.I8 else None
    if whole is not None:
        return whole_sum(*whole)
    left = LEFT if narrow else WIDE_LEFT
    # TFLite's parameters (reference_ops::Add): both operands in units of twice the coarser scale.
    coarse = 2 * max(x, y)
    found: dict[str, Any] = {"left": left}
    for name, factor in ("x", x / coarse), ("y", y / coarse), ("out", coarse / (2**left * out)):
        pair = multiplier(factor, 1)  # without a left shift, all integers fit
        if isinstance(pair, Skip):
            return pair
        if pair[1] > 0:
            return Skip(f"the scale of the result, {out:.4g}, is too fine for the operands'")
        found |= {f"{name}_multiplier": pair[0], f"{name}_shift": pair[1]}
    return found


@INTEGERS(Mul)
def multiply(match: Match[Mul], rewriter: Rewriter) -> Answer:
    """Compute a product on integers."""
    return _channels_or(scale_channels(match, rewriter), lambda: _product(match, rewriter))


@INTEGERS(Div)
def divide(match: Match[Div], rewriter: Rewriter) -> Answer:
    """Compute a quotient on integers."""
    return _channels_or(scale_channels(match, rewriter), lambda: _quotient(match, rewriter))


def _quotient(match: Match[Div], rewriter: Rewriter) -> Answer:
    """A quotient of two values."""
    operands = activations((match.op.x, match.op.y), rewriter, wide=True)
    if isinstance(operands, Skip):
        return operands
    x, y = operands
    factor = x.scale.scale / (y.scale.scale * match.out.scale)
    most = MOST_WIDE if DType.I16 in (x.scale.dtype, y.scale.dtype, match.out.dtype) else MOST
    places = next((p for p in range(MOST_PLACES, LEAST_PLACES - 1, -1) if factor * 2.0**p < most), None)
    if places is None:
        return Skip(f"the scale of the result, {match.out.scale:.4g}, is too fine for the operands'")
    shape = match.op.type.shape
    made = QDiv(
        _spread(x.value, shape, rewriter),
        _spread_or_channels(y.value, shape, rewriter),
        x_zero=x.scale.zero,
        y_zero=y.scale.zero,
        factor=round(factor * 2.0**places),
        places=places,
        **match.result(),
    )
    return Replaced(made, match.absorbed)


def _product(match: Match[Mul], rewriter: Rewriter) -> Answer:
    """A product of two values."""
    operands = activations((match.op.x, match.op.y), rewriter, wide=True)
    if isinstance(operands, Skip):
        return operands
    x, y = operands
    pair = requantiser_of(x.scale.scale * y.scale.scale / match.out.scale, (x.scale, y.scale), match.out)
    if isinstance(pair, Skip):
        return pair
    shape = match.op.type.shape
    if x.value.shape != shape and (y.value.shape == shape or _per_channel(x.value, shape)):
        x, y = y, x
    made = QMul(
        _spread(x.value, shape, rewriter),
        _spread_or_channels(y.value, shape, rewriter),
        x_zero=x.scale.zero,
        y_zero=y.scale.zero,
        multiplier=pair[0],
        shift=pair[1],
        **match.result(),
    )
    return Replaced(made, match.absorbed)


def scale_channels(match: Match[Any], rewriter: Rewriter) -> Answer:
    """Compute a scale or shift of channels by constants as a depthwise convolution of one element."""
    op: Binary = match.op
    for place, value in enumerate(op.operands):
        other = op.operands[1 - place]
        numbers, x = real_constant(other, rewriter), activation(value, rewriter, wide=True)
        if numbers is None or x is None or value.shape != op.type.shape or not value.shape:
            continue
        channels = value.shape[-1]
        if numbers.size != channels or numbers.shape[-1:] != (channels,):
            return Skip(f"{other} {other.type} is neither one number nor one for each channel")
        affine = channel_map(op, place, {1 - place: numbers.reshape(-1)})
        return _depthwise(match, x, *affine, rewriter) if affine is not None else None
    return None


def _depthwise(match: Match[Any], x: Activation, a: Array, b: Array, rewriter: Rewriter) -> Replaced | Skip:
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return Skip("a number of its channels is not finite")
    # The largest weights leave the finest unit for the shift.
    integers = (127 * np.sign(a)).astype(np.int8).reshape(1, 1, -1)
    weights = Int8Weights(integers, np.where(a == 0, 1.0, np.abs(a) / 127), axis=2)
    numbers = numbers_of(x.scale, weights, b, match.out, rewriter)
    if isinstance(numbers, Skip):
        return numbers
    shape, image = x.value.shape, image_of(x.value.type)
    value = x.value if image == shape else rewriter.add(Reshape(x.value, image))
    operands = (value, weights.add(rewriter), *numbers.add(rewriter))
    made: Op = QDepthwiseConv2d(*operands, zero=x.scale.zero, **match.result())
    return Replaced(made if image == shape else Reshape(rewriter.add(made), shape), match.absorbed)
