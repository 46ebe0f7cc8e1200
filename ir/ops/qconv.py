"""Integer convolutions and dense layers: sums of int8 products, requantised.

The input's zero point is folded into the bias (b - zero * sum of w) and padding holds the zero point, so the sums are
over plain products. Each output channel has its own multiplier and shift. Sums, with the bias and shifted left, must
fit int32: `fixed_point.accumulator_bound` and `fixed_point.fits` tell.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.op import Value
from tinyc.ir.ops.conv import HwcWeights, OhwiWeights, Weighted, sums_of_products, windows
from tinyc.ir.ops.int8 import check_channels, check_int8, check_limits, drawn_zero, narrow
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.ops.linear import DenseLayer
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

QConvT = TypeVar("QConvT", bound="QConvolution")


@dataclass(frozen=True)
class QConvolution(Weighted, IntegerLayer):
    """Base of both integer convolutions. `zero` is the input's zero point: what padding holds."""

    b: Value
    multiplier: Value
    shift: Value
    strides: tuple[int, ...] = (1, 1)
    pads: tuple[int, ...] = (0, 0, 0, 0)
    dilations: tuple[int, ...] = (1, 1)
    zero: int = 0
    out_zero: int = 0
    min: int = -128
    max: int = 127

    @classmethod
    def rest(cls, draw: Draw, outputs: int, products: int) -> dict[str, Any]:
        return {**super().rest(draw, outputs, products), **draw.geometry(), "zero": drawn_zero(draw)}

    def geometry(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        return self.strides, self.dilations, self.pads

    def infer(self) -> TensorType:
        check_int8(self.x, self.w)
        check_limits(self.min, self.max, self.zero, self.out_zero)
        height, width = self.output_size()
        self.check_weights()
        check_channels(self.out_channels(), bias=self.b, multiplier=self.multiplier, shift=self.shift)
        return TensorType((self.x.shape[0], height, width, self.out_channels()), DType.I8)

    def row_fill(self) -> float | None:
        return float(self.zero)

    def outside(self) -> float | None:
        return self.zero if any(self.pads) else None

    def with_outside(self: QConvT, value: float) -> QConvT:
        return dataclasses.replace(self, zero=int(value))


@dataclass(frozen=True)
class QConv2d(OhwiWeights, QConvolution, mnemonic="qconv2d"):
    """int8 convolution. Weights are [out_channels, kernel_height, kernel_width, in_channels / groups] (OHWI).

    y = clamp(requantise(sum of x * w + b, multiplier, shift) + out_zero, min, max); outside the operand x is `zero`.
    """

    groups: int = 1

    def joint_weights(self) -> Value | None:
        return self.w if self.groups == 1 else None

    def evaluate(self, *operands: Array) -> Array:
        x, w, b, multiplier, shift = operands
        # Products of int8 summed in float64 are exact below 2^53.
        total = sums_of_products(self, x, w, self.groups, self.zero)
        return narrow(total.astype(np.int64) + b, multiplier, shift, self.out_zero, self.min, self.max)


@dataclass(frozen=True)
class QDepthwiseConv2d(HwcWeights, QConvolution, mnemonic="qdepthwise_conv2d"):
    """int8 depthwise convolution. Weights are [kernel_height, kernel_width, in_channels * multiplier].

    Output channel c * multiplier + m sees input channel c alone; the rest is as in `qconv2d`.
    """

    def evaluate(self, *operands: Array) -> Array:
        x, w, b, multiplier, shift = operands
        wide = np.repeat(x.astype(np.int64), self.channel_multiplier(), axis=3)
        total = np.einsum("nhwykc,ykc->nhwc", windows(self, wide, self.zero), w.astype(np.int64))
        return narrow(total + b, multiplier, shift, self.out_zero, self.min, self.max)


@dataclass(frozen=True)
class QDense(DenseLayer, IntegerLayer, mnemonic="qdense"):
    """int8 dense layer over the last dimension. Weights are [outputs, inputs].

    y = clamp(requantise(x @ w.T + b, multiplier, shift) + out_zero, min, max).
    """

    b: Value
    multiplier: Value
    shift: Value
    out_zero: int = 0
    min: int = -128
    max: int = 127

    def infer(self) -> TensorType:
        check_int8(self.x, self.w)
        check_limits(self.min, self.max, self.out_zero)
        self.check_weights()
        check_channels(self.w.shape[0], bias=self.b, multiplier=self.multiplier, shift=self.shift)
        return TensorType((*self.x.shape[:-1], self.w.shape[0]), DType.I8)

    def joint_weights(self) -> Value | None:
        return self.w

    def evaluate(self, *operands: Array) -> Array:
        x, w, b, multiplier, shift = operands
        total = (x.astype(np.float64) @ w.astype(np.float64).T).astype(np.int64) + b
        return narrow(total, multiplier, shift, self.out_zero, self.min, self.max)
