"""From a range of real numbers to the scale and zero point of int8 or int16, and quantised constants.

A real value is scale * (q - zero). Scales are float32 numbers (held as Python floats), so that every stage and every
exported file computes with the same ones; what is derived from them is computed in float64.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.fixed_point import FLOAT_ERROR, byte_places
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

LOW, HIGH = -128, 127
STEPS = HIGH - LOW
WIDE_STEPS = 2**16 - 1
WEIGHT_LIMIT = 127
"""Weights are symmetric, -127..127: ESP-NN and TFLite Micro leave -128 out."""
BIAS_LIMIT = 2**30
"""Half of int32, so that the sum of products has the other half."""
BIAS_STEPS = 2**23
"""What a bias needs, and its channel's products together: sums below this are requantised in the shortest ways."""
COARSER, NOISE = 1 / 16, 1 / 16
"""By which part a scale may become coarser for a multiplier of one byte, or else what that may add, in steps."""
_TINY = 1e-15
"""Ranges below this are no signal; with them, products of two scales would leave float32's normal numbers."""


@dataclass(frozen=True)
class Parameters:
    """The scale and zero point of an int8 or int16 tensor."""

    scale: float
    zero: int
    dtype: DType = DType.I8

    @property
    def low(self) -> float:
        """The smallest number that is represented."""
        return self.scale * (self.dtype.limits[0] - self.zero)

    @property
    def high(self) -> float:
        """The largest number that is represented."""
        return self.scale * (self.dtype.limits[1] - self.zero)

    def quantise(self, array: Array) -> Array:
        """The integers nearest to real numbers, ties to even as the `quantize` operator has it."""
        q = np.round(array.astype(np.float32) / np.float32(self.scale)) + self.zero
        return np.asarray(np.clip(q, *self.dtype.limits)).astype(self.dtype.numpy)

    def wider(self, scale: float) -> Parameters:
        """The same zero point with a scale of at least `scale`."""
        return self if self.scale >= scale else replace(self, scale=float(np.float32(scale)))


def parameters(low: float, high: float, dtype: DType = DType.I8) -> Parameters:
    """The parameters that represent low..high, widened to contain 0, with 0 represented exactly.

    A range without extent (a tensor that is always zero) gets scale 1 and zero point 0. Those of int16 are symmetric:
    the zero point is 0, and 32767 stands for the largest magnitude.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if high - low < _TINY:
        return Parameters(1.0, 0, dtype)
    if dtype is DType.I16:
        return Parameters(float(np.float32(max(-low, high) / dtype.limits[1])), 0, dtype)
    scale = float(np.float32((high - low) / STEPS))
    zero = round(LOW - low / scale)
    return Parameters(scale, min(max(zero, LOW), HIGH))


def weight_scales(
    weights: Array,
    axis: int,
    bias: Array | None,
    input_scale: float,
    reach: float,
    operand: DType = DType.I8,
    finest: Array | None = None,
) -> NDArray[np.float32]:
    """One scale for each output channel (dimension `axis`): `finest`, or that for symmetric int8.

    A channel whose weights are tiny against its bias gets a coarser scale than they need: the bias takes `BIAS_STEPS`
    units of input_scale * scale, so that the sums stay small, as far as it is no larger than `reach`, the length of the
    result's range, and the products together. A unit is then at most 2^-15 of a step of the result beyond what the
    products' own steps are. No bias exceeds `BIAS_LIMIT` units, and where the operand is int16, that is all that there
    is to heed. A channel of zeros gets the largest scale of the others.
    """
    all_steps, bias_steps = (STEPS, BIAS_STEPS) if operand is DType.I8 else (WIDE_STEPS, BIAS_LIMIT)
    others = tuple(d for d in range(weights.ndim) if d != axis)
    size = np.abs(weights.astype(np.float64))
    scales = size.max(axis=others, initial=0.0) / WEIGHT_LIMIT if finest is None else finest
    if bias is not None:
        large, products = np.abs(bias.astype(np.float64)), size.sum(axis=others) * all_steps * input_scale
        steps = np.divide(products, input_scale * scales, out=np.zeros_like(products), where=scales > 0)
        seen = np.minimum(large, reach + products) / (input_scale * np.maximum(steps, bias_steps))
        scales = np.maximum(scales, np.maximum(seen, large / (input_scale * BIAS_LIMIT)))
    scales = np.where(scales < _TINY, scales.max() if scales.max() >= _TINY else 1.0, scales)
    return np.asarray(scales.astype(np.float32))


def in_bytes(
    scales: NDArray[np.float32], products: int, input_scale: float, out_scale: float, operand: DType = DType.I8
) -> NDArray[np.float32]:
    """Scales of weights, made coarser by so little that what sums are multiplied with, input_scale * scale / out_scale,
    are whole numbers of one byte times a power of two that all output channels have in common.

    They stay as they are where a channel would be more than `COARSER` coarser and its rounded weights, so many products
    a sum, would add more than `NOISE` steps to the result.
    """
    factors = scales.astype(np.float64) * input_scale / out_scale
    unit = 2.0 ** -byte_places(float(factors.max(initial=0.0)))
    units = np.maximum(np.ceil(factors / unit - FLOAT_ERROR), 1.0)
    coarser = units * unit - factors
    # A rounded weight is off by 1 / sqrt(12), an operand of 256 equally likely values by 256 / sqrt(12) from its mean.
    noise = coarser * 2 ** (8 * operand.bytes) / 12 * np.sqrt(products)
    if ((coarser > COARSER * factors) & (noise > NOISE)).any():
        return scales
    return np.asarray((units * unit * out_scale / input_scale).astype(np.float32))


def quantise_weights(weights: Array, axis: int, scales: NDArray[np.float32]) -> NDArray[np.int8]:
    """Symmetric int8 weights."""
    shape = [1] * weights.ndim
    shape[axis] = -1
    q = np.round(weights.astype(np.float64) / scales.astype(np.float64).reshape(shape))
    return np.asarray(np.clip(q, -WEIGHT_LIMIT, WEIGHT_LIMIT)).astype(np.int8)


def quantise_bias(bias: Array, scales: NDArray[np.float64]) -> NDArray[np.int32]:
    """int32 bias in units of `scales` (input scale times weight scale), limited to `BIAS_LIMIT`."""
    return np.asarray(np.clip(np.round(bias.astype(np.float64) / scales), -BIAS_LIMIT, BIAS_LIMIT)).astype(np.int32)
