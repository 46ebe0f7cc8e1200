"""Averages, sums, means and softmax."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinyc.ir import fixed_point
from tinyc.ir.errors import IRError
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import (
    AvgPool2d,
    CumSum,
    Pad,
    QAvgPool2d,
    QCumSum,
    QDepthwiseConv2d,
    QMean,
    QSoftmax,
    QSum,
    ReduceMean,
    ReduceSum,
    Reshape,
    Softmax,
    Transpose,
)
from tinyc.ir.types import DType
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip
from tinyc.passes.integerise.layers import Int8Weights, numbers_of
from tinyc.passes.integerise.patterns import INTEGERS, Activation, Match, activation, float_operand
from tinyc.passes.integerise.scales import Scale, requantiser_of
from tinyc.passes.integerise.tables import rescaled

PROBABILITY = Scale(1 / 256, -128)
"""The scale of an integer softmax."""
WIDE_PROBABILITY = Scale(1 / 32768, 0, DType.I16)
"""The same where its result is int16."""


@INTEGERS(AvgPool2d)
def average_pool(match: Match[AvgPool2d], rewriter: Rewriter) -> Answer:
    """Compute an average pooling on integers."""
    op = match.op
    x = activation(op.x, rewriter, wide=True)
    if x is None:
        return float_operand(op.x)
    top, left, bottom, right = op.pads
    clips = any(op.pads) and not op.count_pads
    if x.scale != match.out and not clips:
        return _equal_weights(match, x, rewriter)
    if x.scale.scale > match.out.scale:
        return Skip("averages rounded at the operand's scale would be coarser than the result's")
    value, pads = x.value, op.pads
    if any(pads) and op.count_pads:
        value = rewriter.add(Pad(value, (0, top, left, 0), (0, bottom, right, 0), (), float(x.scale.zero)))
        pads = (0, 0, 0, 0)
    if x.scale == match.out:
        made = QAvgPool2d(value, op.kernel, op.strides, pads, op.dilations, match.low, match.high)
        return Replaced(made, match.absorbed)
    pooled = QAvgPool2d(value, op.kernel, op.strides, pads, op.dilations, *x.scale.dtype.limits)
    return _rescaled(match, pooled, x.scale, rewriter)


def _equal_weights(match: Match[AvgPool2d], x: Activation, rewriter: Rewriter) -> Replaced | Skip:
    """The average to another scale: the mean of all rows and columns, or a depthwise convolution of equal weights."""
    op = match.op
    if op.kernel == x.value.shape[1:3] and not any(op.pads):
        return _mean(match, x, x.value, op.type.shape, math.prod(op.kernel), rewriter)
    # Large weights make large sums, which the first of the two roundings hardly touches.
    integers = np.full((*op.kernel, x.value.shape[3]), 127, np.int8)
    weights = Int8Weights(integers, np.full(x.value.shape[3], 1 / (127 * math.prod(op.kernel))), axis=2)
    numbers = numbers_of(x.scale, weights, None, match.out, rewriter)
    if isinstance(numbers, Skip):
        return numbers
    operands = (x.value, weights.add(rewriter), *numbers.add(rewriter))
    made = QDepthwiseConv2d(
        *operands,
        op.strides,
        op.pads,
        op.dilations,
        x.scale.zero,
        **match.result(),
    )
    return Replaced(made, match.absorbed)


@INTEGERS(ReduceMean)
def mean(match: Match[ReduceMean], rewriter: Rewriter) -> Answer:
    """Compute a mean on integers."""
    return _reduced(match, match.op.count(), rewriter)


@INTEGERS(ReduceSum)
def total(match: Match[ReduceSum], rewriter: Rewriter) -> Answer:
    """Compute a sum over dimensions on integers."""
    return _reduced(match, 1, rewriter)


@INTEGERS(CumSum)
def running_total(match: Match[CumSum], rewriter: Rewriter) -> Answer:
    """Compute running sums on integers."""
    op = match.op
    x = activation(op.x, rewriter, wide=True)
    if x is None:
        return float_operand(op.x)
    pair = requantiser_of(x.scale.scale / match.out.scale, (x.scale,), match.out, op.x.shape[op.axis])
    if isinstance(pair, Skip):
        return pair
    made = QCumSum(x.value, op.axis, x.scale.zero, *pair, op.exclusive, op.reverse, **match.result())
    return Replaced(made, match.absorbed)


def _reduced(match: Match[ReduceMean] | Match[ReduceSum], divisor: int, rewriter: Rewriter) -> Answer:
    """The sum over some dimensions, divided by a number."""
    op = match.op
    x = activation(op.x, rewriter, wide=True)
    if x is None:
        return float_operand(op.x)
    if not op.axes:
        return Skip("it is one over no dimension")
    shape, first, last = x.value.shape, op.axes[0], op.axes[-1]
    gap = last - first + 1 != len(op.axes)
    if not gap and math.prod(shape[:first]) == 1:
        # Rows and columns of an image, which are gathered row by row.
        inner = shape[first : last + 1]
        height, width = inner if len(inner) == 2 else (1, math.prod(inner))
        image = (1, height, width, math.prod(shape[last + 1 :]))
        value = x.value if image == shape else rewriter.add(Reshape(x.value, image))
        return _mean(match, x, value, op.type.shape, divisor, rewriter)
    pair = requantiser_of(x.scale.scale / (divisor * match.out.scale), (x.scale,), match.out, op.count())
    if isinstance(pair, Skip):
        return pair
    given, result = (x.scale.zero, *pair), match.result()
    if not gap:
        return Replaced(QSum(x.value, op.axes, *given, **result), match.absorbed)
    kept = [d for d in range(len(shape)) if d not in op.axes]
    moved = rewriter.add(Transpose(x.value, (*kept, *op.axes)))
    sums = rewriter.add(QSum(moved, tuple(range(len(kept), len(shape))), *given, **result))
    return Replaced(Reshape(sums, op.type.shape), match.absorbed)


def _mean(
    match: Match[Any], x: Activation, image: Value, shape: tuple[int, ...], divisor: int, rewriter: Rewriter
) -> Replaced | Skip:
    """The sum over rows and columns of an image, divided by a number."""
    count = image.shape[1] * image.shape[2]
    pair = requantiser_of(x.scale.scale / (divisor * match.out.scale), (x.scale,), match.out, count)
    if isinstance(pair, Skip):
        return pair
    made = QMean(image, x.scale.zero, *pair, **match.result())
    return Replaced(made if made.type.shape == shape else Reshape(rewriter.add(made), shape), match.absorbed)


@INTEGERS(Softmax)
def softmax(match: Match[Softmax], rewriter: Rewriter) -> Answer:
    """Compute a softmax on integers."""
    x = activation(match.op.x, rewriter, wide=True)
    if x is None:
        return float_operand(match.op.x)
    try:
        made = QSoftmax(x.value, *fixed_point.softmax_scaling(x.scale.scale), match.out.dtype)
    except IRError as error:
        return Skip(error.message)
    natural = PROBABILITY if match.out.dtype is DType.I8 else WIDE_PROBABILITY
    if match.out == natural and (match.low, match.high) == match.out.dtype.limits:
        return Replaced(made, match.absorbed)
    return _rescaled(match, made, natural, rewriter)


def _rescaled(match: Match[Any], made: Op, have: Scale, rewriter: Rewriter) -> Answer:
    """An operator that gives integers of another scale, and what brings them to the result's."""
    found = rescaled(rewriter.add(made), have, match.out, rewriter, match.low, match.high)
    return found if isinstance(found, Skip) else Replaced(found, match.absorbed)
