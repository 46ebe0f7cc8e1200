"""Convolutions and dense layers: weights, bias and scales become integers."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from tinyc.ir import fixed_point
from tinyc.ir.module import Node
from tinyc.ir.op import Value
from tinyc.ir.ops import Add, Conv2d, Dense, DepthwiseConv2d, Dequantize, QConv2d, QDense, QDepthwiseConv2d
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.tensor import Array
from tinyc.passes.core.rewrite import Replaced, Rewriter, Skip
from tinyc.passes.integerise.patterns import (
    Activation,
    Match,
    activation,
    along,
    before_quantize,
    float_operand,
    real_constant,
)
from tinyc.passes.integerise.scales import Scale, multiplier

SAME_SCALE = 1e-6
"""Relative difference up to which a bias has the scale of the sums: both are products of float32 numbers."""
FINE = 2.0**-16
"""Steps of the result in which the bias of a channel without weights is counted: its error is 2^-17 of a step."""


@dataclass(frozen=True)
class Weights:
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


def weights_of(value: Value, rewriter: Rewriter, axis: int) -> Weights | Skip:
    """The integers and scales of a layer's weights."""
    node = rewriter.producer(value)
    integers = rewriter.constant(node.op.x) if node is not None and isinstance(node.op, Dequantize) else None
    if node is None or not isinstance(node.op, Dequantize) or integers is None:
        return Skip(f"the weights {value} are not the dequantize of a constant")
    op = node.op
    if integers.dtype not in (np.int8, np.uint8):
        return Skip(f"the weights {op.x} are {op.x.type}, not int8")
    if not op.whole() and op.axis != axis:
        return Skip(f"the weights {op.x} have scales along dimension {op.axis}, not along the output channels")
    centred = integers - along(op, op.zero)
    if centred.size and (centred.min() < -128 or centred.max() > 127):
        return Skip(f"the weights {op.x} less their zero point do not fit int8")
    scale = np.broadcast_to(np.array(op.scale, np.float32).astype(np.float64), (integers.shape[axis],))
    known = op.x if integers.dtype == np.int8 and not any(op.zero) else None
    return Weights(centred.astype(np.int8), scale, axis, known)


def bias_of(value: Value | Array | None, rewriter: Rewriter, scale: Array) -> Array | Skip:
    """The bias in units of `scale`, one a channel, rounded to whole numbers, in float64."""
    if value is None:
        return np.zeros_like(scale)
    if isinstance(value, np.ndarray):
        return np.asarray(np.rint(value / scale))
    node = rewriter.producer(value)
    real = real_constant(value, rewriter)
    if node is None or real is None:
        return Skip(f"the bias {value} is not constant")
    if isinstance(node.op, Dequantize):
        own = np.broadcast_to(along(node.op, node.op.scale), value.shape)
        same = np.abs(own - scale) <= SAME_SCALE * scale
        integers = rewriter.constant(node.op.x)
        assert integers is not None
        centred = integers - along(node.op, node.op.zero)
        return np.where(same, centred, np.rint(real / scale))
    return np.asarray(np.rint(real / scale))


def numbers_of(
    x: Scale, weights: Weights, bias: Value | Array | None, out: Scale, rewriter: Rewriter
) -> Numbers | Skip:
    """Bias, with the zero point of x folded in, and multipliers, for sums of int8 x times the weights.

    A channel whose weights are all zero is its bias alone, for which any scale will do.
    """
    rows = weights.rows()
    empty = ~rows.any(axis=1)
    scale = np.where(empty, out.scale * FINE, x.scale * weights.scale)
    if not (scale > 0).all():
        return Skip("a scale of its weights is not positive")
    own = bias_of(bias, rewriter, scale)
    if isinstance(own, Skip):
        return own
    # Far beyond what int8 limits let through, and far from overflow.
    own = np.where(empty, np.clip(own, -(2.0**29), 2.0**29), own)
    folded = own - x.zero * rows.sum(axis=1)
    largest = float(np.abs(folded).max(initial=0.0))
    if largest > fixed_point.INT32[1]:
        return Skip(f"a bias of {largest:.4g} times the scale of the sums does not fit int32")
    integers = folded.astype(np.int64)
    bounds = fixed_point.accumulator_bound(weights.integers, integers, weights.axis)
    pairs: list[tuple[int, int]] = []
    for factor, bound in zip(scale / out.scale, bounds, strict=True):
        pair = multiplier(float(factor), int(bound))
        if isinstance(pair, Skip):
            return pair
        pairs.append(pair)
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return Numbers(integers.astype(np.int32), table[:, 0].astype(np.int32), table[:, 1].astype(np.int32))


def convolution(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Compute a convolution on integers."""
    match = before_quantize(node, rewriter, Convolution)
    if not isinstance(match, Match):
        return match
    op = match.op
    axis = 2 if isinstance(op, DepthwiseConv2d) else 0
    parts = _layer(match, op.x, op.w, op.b, axis, rewriter)
    if isinstance(parts, Skip):
        return parts
    x, weights, numbers = parts
    pad = x.scale.exactly(op.pad_value)
    if pad is None:
        if any(op.pads):
            return Skip(f"no int8 value stands for the pad value {op.pad_value}")
        pad = x.scale.zero
    low, high = match.limits(op.min, op.max)
    operands = (x.value, weights.add(rewriter), *numbers.add(rewriter))
    geometry = (op.strides, op.pads, op.dilations)
    made = (
        QConv2d(*operands, *geometry, pad, match.out.zero, low, high, op.groups)
        if isinstance(op, Conv2d)
        else QDepthwiseConv2d(*operands, *geometry, pad, match.out.zero, low, high)
    )
    return Replaced(made, match.absorbed)


def dense(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Compute a dense layer on integers."""
    match = before_quantize(node, rewriter, Dense)
    if not isinstance(match, Match):
        return match
    op = match.op
    parts = _layer(match, op.x, op.w, op.b, 0, rewriter)
    if isinstance(parts, Skip):
        return parts
    x, weights, numbers = parts
    low, high = match.limits(op.min, op.max)
    made = QDense(x.value, weights.add(rewriter), *numbers.add(rewriter), match.out.zero, low, high)
    return Replaced(made, match.absorbed)


def _layer(
    match: Match[Convolution] | Match[Dense], x: Value, w: Value, b: Value | None, axis: int, rewriter: Rewriter
) -> tuple[Activation, Weights, Numbers] | Skip:
    source = activation(x, rewriter)
    if source is None:
        return float_operand(x)
    weights = weights_of(w, rewriter, axis)
    if isinstance(weights, Skip):
        return weights
    numbers = numbers_of(source.scale, weights, b, match.out, rewriter)
    return numbers if isinstance(numbers, Skip) else (source, weights, numbers)


def bias_into_layer(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Make a constant that is added behind a layer without a bias the layer's bias."""
    if not isinstance(node.op, Add):
        return None
    for value, other in ((node.op.x, node.op.y), (node.op.y, node.op.x)):
        layer = rewriter.producer(value)
        if layer is None or not isinstance(layer.op, (Convolution, Dense)) or layer.op.b is not None:
            continue
        op, numbers, channels = layer.op, real_constant(other, rewriter), value.shape[-1]
        if activation(op.x, rewriter) is None or numbers is None or value.shape != node.result.shape:
            continue
        if numbers.shape[-1:] != (channels,) or numbers.size != channels:
            continue
        if rewriter.uses(value) > 1 or (op.min, op.max) != (-math.inf, math.inf):
            return Skip(f"{value} is limited or needed without the bias")
        bias = rewriter.constant_value(numbers.reshape(-1).astype(np.float32), "bias")
        return Replaced(dataclasses.replace(op, b=bias), (layer,))
    return None
