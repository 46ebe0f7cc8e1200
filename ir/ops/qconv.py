"""Integer convolutions and dense layers: sums of products of int8 weights, requantised.

The input's zero point is folded into the bias (b - zero * sum of w) and padding holds the zero point, so the sums are
over plain products. Each output channel has its own multiplier and shift. Sums, with the bias and shifted left, must
fit int32, or `fixed_point.WIDE_SUM` where the operand is int16: `IntegerLayer.bounds` and `fixed_point.fits` tell.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.op import Value
from tinyc.ir.ops.conv import HwcWeights, OhwiWeights, Weighted, sums_of_products, windows
from tinyc.ir.ops.int8 import check_activation, check_channels, drawn_zero, narrow
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
    to: DType = DType.I8

    @classmethod
    def rest(cls, draw: Draw, outputs: int, products: int, operand: DType) -> dict[str, Any]:
        found = super().rest(draw, outputs, products, operand)
        return {**found, **draw.geometry(), "zero": drawn_zero(draw, operand)}

    def geometry(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        return self.strides, self.dilations, self.pads

    def infer(self) -> TensorType:
        self.check_operands()
        check_activation(self.x, self.zero)
        height, width = self.output_size()
        self.check_weights()
        wide = self.x.dtype is DType.I16
        check_channels(self.out_channels(), self.b, wide, multiplier=self.multiplier, shift=self.shift)
        return TensorType((self.x.shape[0], height, width, self.out_channels()), self.to)

    def row_fill(self) -> float | None:
        return float(self.zero)

    def outside(self) -> float | None:
        return self.zero if any(self.pads) else None

    def with_outside(self: QConvT, value: float) -> QConvT:
        return dataclasses.replace(self, zero=int(value))


@dataclass(frozen=True)
class QConv2d(OhwiWeights, QConvolution, mnemonic="qconv2d"):
    """Integer convolution. Weights are [out_channels, kernel_height, kernel_width, in_channels / groups] (OHWI).

    y = clamp(requantise(sum of x * w + b, multiplier, shift) + out_zero, min, max); outside the operand x is `zero`.
    """

    groups: int = 1

    def joint_weights(self) -> Value | None:
        return self.w if self.groups == 1 and not self.is_wide() else None

    def evaluate(self, *operands: Array) -> Array:
        x, w, b, multiplier, shift = operands
        # Products of int8 and int16 summed in float64 are exact below 2^53.
        total = sums_of_products(self, x, w, self.groups, self.zero)
        return narrow(total.astype(np.int64) + b, multiplier, shift, self.out_zero, self.min, self.max, self.to)


@dataclass(frozen=True)
class QDepthwiseConv2d(HwcWeights, QConvolution, mnemonic="qdepthwise_conv2d"):
    """Integer depthwise convolution. Weights are [kernel_height, kernel_width, in_channels * multiplier].

    Output channel c * multiplier + m sees input channel c alone; the rest is as in `qconv2d`.
    """

    def evaluate(self, *operands: Array) -> Array:
        x, w, b, multiplier, shift = operands
        wide = np.repeat(x.astype(np.int64), self.channel_multiplier(), axis=3)
        total = np.einsum("nhwykc,ykc->nhwc", windows(self, wide, self.zero), w.astype(np.int64))
        return narrow(total + b, multiplier, shift, self.out_zero, self.min, self.max, self.to)


@dataclass(frozen=True)
class QDense(DenseLayer, IntegerLayer, mnemonic="qdense"):
    """Integer dense layer over the last dimension. Weights are [outputs, inputs].

    y = clamp(requantise(x @ w.T + b, multiplier, shift) + out_zero, min, max).
    """

    b: Value
    multiplier: Value
    shift: Value
    out_zero: int = 0
    min: int = -128
    max: int = 127
    to: DType = DType.I8

    def infer(self) -> TensorType:
        self.check_operands()
        self.check_weights()
        wide = self.x.dtype is DType.I16
        check_channels(self.w.shape[0], self.b, wide, multiplier=self.multiplier, shift=self.shift)
        return TensorType((*self.x.shape[:-1], self.w.shape[0]), self.to)

    def joint_weights(self) -> Value | None:
        return None if self.is_wide() else self.w

    def evaluate(self, *operands: Array) -> Array:
        x, w, b, multiplier, shift = operands
        total = (x.astype(np.float64) @ w.astype(np.float64).T).astype(np.int64) + b
        return narrow(total, multiplier, shift, self.out_zero, self.min, self.max, self.to)
