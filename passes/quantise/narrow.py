"""Biases of 16 bits: what a layer's sums begin with becomes 16 bits times a power of two, where that changes next to
nothing, so that the constants of an integer layer take half the memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinyc.ir.fixed_point import seen_biases
from tinyc.ir.module import Made, Module, made
from tinyc.ir.op import Value
from tinyc.ir.ops import Clamp
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.ops.quantise import Dequantize, Quantize
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.core.base import Pass
from tinyc.passes.quantise.biases import integer_bias, sum_scales, with_biases
from tinyc.passes.quantise.ranges import BIAS_LIMIT

LARGEST = 2**15 - 1
MOST = 1 / 16
"""Steps of the result by which a bias may change: an eighth of what rounding a result does."""


@dataclass(frozen=True)
class NarrowBiases(Pass, name="narrow-biases"):
    """Rounds the biases of quantised layers so that they are 16 bits times a power of two, one for all channels of a
    layer, once the operand's zero point is folded in. Beyond the limits of int8 they are cut first (`seen_biases`).

    A layer of whose biases one would change by more than `MOST` steps of the result stays as it is.
    """

    def run(self, module: Module) -> Module:
        new = {layer.node.result: bias for layer, bias in _narrowed(module)}
        return with_biases(module, new) if new else module


def _narrowed(module: Module) -> Iterator[tuple[Made[LinearLayer], Array]]:
    """Layers, and the biases that they are to have."""
    for rounded in module.made_by(Quantize):
        layer = _layer(module, rounded.op.x)
        if layer is None or rounded.op.to is not DType.I8:
            continue
        x, w = module.made(layer.op.x, Dequantize), module.made(layer.op.w, Dequantize)
        weights = module.constant(w.op.x) if w is not None else None
        old = integer_bias(module, layer.node)
        scales = sum_scales(module, layer.node)
        if x is None or weights is None or old is None or scales is None or x.op.x.dtype is not DType.I8:
            continue
        rows = layer.op.by_output(weights).astype(np.float64)
        offset = x.op.zero[0] * rows.sum(axis=1)
        begin = _of_16_bits(old - offset, rows, scales / float(rounded.op.scale), rounded.op.zero)
        if begin is not None and not np.array_equal(begin + offset, old):
            yield layer, (begin + offset).astype(np.int32)


def _layer(module: Module, value: Value) -> Made[LinearLayer] | None:
    """The layer that computes a value which nothing else takes, limits aside."""
    node = module.producer.get(value)
    while node is not None and module.taken_once(node.result):
        if (clamp := made(node, Clamp)) is None:
            return made(node, LinearLayer)
        node = module.producer.get(clamp.op.x)
    return None


def _of_16_bits(begin: Array, rows: Array, factors: Array, zero: int) -> Array | None:
    """What sums begin with, [outputs], as 16 bits times a power of two; None where that would change a result."""
    cut = np.clip(begin, *seen_biases(rows, factors, zero, margin=1.0))
    places = max(0, math.ceil(math.log2(max(float(np.abs(cut).max(initial=0.0)), 1.0) / LARGEST)))
    rounded: Array = np.rint(np.ldexp(cut, -places))
    changes = np.abs(np.ldexp(rounded, places) - cut) * factors
    most = np.where(cut == begin, MOST, 0.5)
    if places > 15 or (changes > most).any() or np.ldexp(np.abs(rounded).max(initial=0.0), places) > BIAS_LIMIT:
        return None
    return np.asarray(np.ldexp(rounded, places))
