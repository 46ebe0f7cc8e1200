"""Convolutions and dense layers: weights, bias and scales become integers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyc.ir import fixed_point
from tinyc.ir.module import Made
from tinyc.ir.op import Value
from tinyc.ir.ops import Add, Conv2d, Dense, DepthwiseConv2d, Dequantize, QConv2d, QDense, QDepthwiseConv2d
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on
from tinyc.passes.integerise.patterns import (
    INTEGERS,
    Activation,
    Match,
    activation,
    along,
    float_operand,
    real_constant,
)
from tinyc.passes.integerise.scales import Scale, multiplier

SAME_SCALE = 1e-6
"""Relative difference up to which a bias has the scale of the sums: both are products of float32 numbers."""
FINE = 2.0**-11
"""Steps of the result in which the bias of a channel without weights is counted: its error is 2^-12 of a step."""


@dataclass(frozen=True)
class Int8Weights:
    """int8 weights without zero points; `scale` has one entry an output channel, which is dimension `axis`."""

    integers: Array
    scale: Array
    axis: int
    value: Value | None = None
    """The constant that holds them already, if any."""

    def add(self, rewriter: Rewriter) -> Value:
        """The weights as a value of the module."""
        return self.value or rewriter.constant_value(self.integers, "weights")

    def rows(self) -> Array:
        """The weights in float64, one row an output channel."""
        channels = self.integers.shape[self.axis]
        return np.moveaxis(self.integers, self.axis, 0).reshape(channels, -1).astype(np.float64)


@dataclass(frozen=True)
class Numbers:
    """The integers of a layer, one entry an output channel."""

    bias: Array
    multiplier: Array
    shift: Array

    def add(self, rewriter: Rewriter) -> tuple[Value, Value, Value]:
        """Bias, multiplier and shift as values of the module."""
        return (
            rewriter.constant_value(self.bias, "bias"),
            rewriter.constant_value(self.multiplier, "multiplier"),
            rewriter.constant_value(self.shift, "shift"),
        )


def weights_of(value: Value, rewriter: Rewriter, axis: int) -> Int8Weights | Skip:
    """The integers and scales of a layer's weights."""
    found = rewriter.made(value, Dequantize)
    integers = rewriter.constant(found.op.x) if found is not None else None
    if found is None or integers is None:
        return Skip(f"the weights {value} are not the dequantize of a constant")
    op = found.op
    if integers.dtype not in (np.int8, np.uint8):
        return Skip(f"the weights {op.x} are {op.x.type}, not int8")
    if not op.whole() and op.axis != axis:
        return Skip(f"the weights {op.x} have scales along dimension {op.axis}, not along the output channels")
    centred = integers - along(op, op.zero)
    if centred.size and (centred.min() < -128 or centred.max() > 127):
        return Skip(f"the weights {op.x} less their zero point do not fit int8")
    scale = np.broadcast_to(np.array(op.scale, np.float32).astype(np.float64), (integers.shape[axis],))
    known = op.x if integers.dtype == np.int8 and not any(op.zero) else None
    return Int8Weights(centred.astype(np.int8), scale, axis, known)


def bias_of(value: Value | Array | None, rewriter: Rewriter, scale: Array) -> Array | Skip:
    """The bias in units of `scale`, one a channel, rounded to whole numbers, in float64."""
    if value is None:
        return np.zeros_like(scale)
    if isinstance(value, np.ndarray):
        return np.asarray(np.rint(value / scale))
    real, found = real_constant(value, rewriter), rewriter.made(value, Dequantize)
    if real is None:
        return Skip(f"the bias {value} is not constant")
    if found is None:
        return np.asarray(np.rint(real / scale))
    own = np.broadcast_to(along(found.op, found.op.scale), value.shape)
    same = np.abs(own - scale) <= SAME_SCALE * scale
    integers = rewriter.constant(found.op.x)
    assert integers is not None
    centred = integers - along(found.op, found.op.zero)
    return np.where(same, centred, np.rint(real / scale))


def numbers_of(
    x: Scale, weights: Int8Weights, bias: Value | Array | None, out: Scale, rewriter: Rewriter
) -> Numbers | Skip:
    """Bias, with the zero point of x folded in, and multipliers, for sums of x times the weights.

    A channel whose weights are all zero is its bias alone, for which any scale will do.
    """
    rows = weights.rows()
    empty = ~rows.any(axis=1)
    scale = np.where(empty, out.scale * FINE, x.scale * weights.scale)
    own = bias_of(bias, rewriter, scale)
    if isinstance(own, Skip):
        return own
    factors = scale / out.scale
    # Sums that are no larger than what is seen of them may need no shift.
    seen = fixed_point.seen_biases(rows, factors, out.zero, 0.0, x.dtype, out.dtype)
    folded = np.clip(own - x.zero * rows.sum(axis=1), *seen)
    largest = float(np.abs(folded).max(initial=0.0))
    long = x.dtype is DType.I16 and fixed_point.INT32[1] < largest < fixed_point.WIDE_SUM
    if largest > fixed_point.INT32[1] and not long:
        return Skip(f"a bias of {largest:.4g} times the scale of the sums does not fit int32")
    integers = folded.astype(np.int64)
    biases = integers if long else integers.astype(np.int32)
    bounds = fixed_point.accumulator_bound(weights.integers, integers, weights.axis, x.dtype)
    wide = DType.I16 in (x.dtype, out.dtype)
    plain = _plain(factors, bounds, wide)
    if plain is not None:
        return Numbers(biases, plain.astype(np.int32), np.zeros(len(plain), np.int32))
    pairs: list[tuple[int, int]] = []
    for factor, bound in zip(factors, bounds, strict=True):
        pair = multiplier(float(factor), int(bound), wide)
        if isinstance(pair, Skip):
            return pair
        pairs.append(pair)
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return Numbers(biases, table[:, 0].astype(np.int32), table[:, 1].astype(np.int32))


def _plain(factors: Array, bounds: Array, wide: bool) -> Array | None:
    """Multipliers of shift 0, where they are good enough; those of one byte are exact, however large sums are."""
    plain = fixed_point.plain_multipliers(factors, bounds)
    if plain is None and not wide:
        return None
    in_bytes = fixed_point.byte_multipliers(factors)
    return plain if in_bytes is None else in_bytes


@INTEGERS(Conv2d)
def convolution(match: Match[Conv2d], rewriter: Rewriter) -> Answer:
    """Compute a convolution on integers."""
    layer = _windows(match, rewriter)
    if isinstance(layer, Skip):
        return layer
    return Replaced(QConv2d(**layer, groups=match.op.groups), match.absorbed)


@INTEGERS(DepthwiseConv2d)
def depthwise(match: Match[DepthwiseConv2d], rewriter: Rewriter) -> Answer:
    """Compute a depthwise convolution on integers."""
    layer = _windows(match, rewriter)
    return layer if isinstance(layer, Skip) else Replaced(QDepthwiseConv2d(**layer), match.absorbed)


@INTEGERS(Dense)
def dense(match: Match[Dense], rewriter: Rewriter) -> Answer:
    """Compute a dense layer on integers."""
    layer = _layer(match, match.op, rewriter)
    if isinstance(layer, Skip):
        return layer
    made = QDense(*layer.operands(rewriter), **match.result(match.op.min, match.op.max))
    return Replaced(made, match.absorbed)


@dataclass(frozen=True)
class _Integers:
    """A layer's operand, weights, and integers."""

    x: Activation
    weights: Int8Weights
    numbers: Numbers

    def operands(self, rewriter: Rewriter) -> tuple[Value, Value, Value, Value, Value]:
        """As values of the module: operand, weights, bias, multipliers, shifts."""
        return (self.x.value, self.weights.add(rewriter), *self.numbers.add(rewriter))


def _windows(match: Match[Conv2d] | Match[DepthwiseConv2d], rewriter: Rewriter) -> dict[str, Any] | Skip:
    """The fields that both integer convolutions have in common."""
    op = match.op
    layer = _layer(match, op, rewriter)
    if isinstance(layer, Skip):
        return layer
    pad = layer.x.scale.exactly(op.pad_value)
    if pad is None:
        if any(op.pads):
            return Skip(f"no {layer.x.scale.dtype.numpy.name} value stands for the pad value {op.pad_value}")
        pad = layer.x.scale.zero
    operands = dict(zip(("x", "w", "b", "multiplier", "shift"), layer.operands(rewriter), strict=True))
    geometry = {"strides": op.strides, "pads": op.pads, "dilations": op.dilations, "zero": pad}
    return {**operands, **geometry, **match.result(op.min, op.max)}


def _layer(match: Match[Any], op: LinearLayer, rewriter: Rewriter) -> _Integers | Skip:
    x = activation(op.x, rewriter, wide=True)
    if x is None:
        return float_operand(op.x)
    weights = weights_of(op.w, rewriter, op.output_axis)
    if isinstance(weights, Skip):
        return weights
    numbers = numbers_of(x.scale, weights, op.b, match.out, rewriter)
    return numbers if isinstance(numbers, Skip) else _Integers(x, weights, numbers)


@on(Add)
def bias_into_layer(at: Made[Add], rewriter: Rewriter) -> Answer:
    """Make a constant that is added behind a layer without a bias the layer's bias."""
    for value, other in ((at.op.x, at.op.y), (at.op.y, at.op.x)):
        layer = rewriter.made(value, LinearLayer)
        if layer is None or layer.op.b is not None:
            continue
        op, numbers, channels = layer.op, real_constant(other, rewriter), value.shape[-1]
        if activation(op.x, rewriter, wide=True) is None or numbers is None or value.shape != at.result.shape:
            continue
        if numbers.shape[-1:] != (channels,) or numbers.size != channels:
            continue
        if rewriter.uses(value) > 1 or op.limits() != (-math.inf, math.inf):
            return Skip(f"{value} is limited or needed without the bias")
        bias = rewriter.constant_value(numbers.reshape(-1).astype(np.float32), "bias")
        return Replaced(op.with_weights(op.w, bias), (layer.node,))
    return None
