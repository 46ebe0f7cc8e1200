"""ConvInteger and MatMulInteger: integer sums of integer products, done exactly.

Float kernels add whole numbers exactly as long as no partial sum reaches 2^24, and there are fast ones. The weights
tell whether that holds for every operand; where it does not, a matrix product is done on int32 instead.
"""

from __future__ import annotations

import math

import numpy as np

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.quantised import as_operator
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.ir import DType, Value
from tinyc.ir.ops import Sub
from tinyc.ir.ops.quantise import Dequantize

EXACT = 1 << 24
"""Whole numbers up to this one are float32 values."""


@onnx_op("ConvInteger")
def conv_integer(ctx: Context, node: OnnxNode) -> Value:
    """A convolution of (x - x_zero) and (w - w_zero), to int32. Outside the operand, x is its zero point."""
    x, w = node.operand(0), node.operand(1)
    inner = tuple(range(1, w.type.rank))
    left, right = Centred(node, x, node.optional(2), ()), Centred(node, w, node.optional(3), (-1, *(1,) * len(inner)))
    most = right.largest_sum(ctx, inner) * left.peak(ctx)
    if most >= EXACT:
        raise node.error(
            f"its sums may reach {most}, where float32 is no longer exact (2^24); "
            f"quantise the model statically (QDQ or QLinearConv) instead"
        )
    return ctx.cast(as_operator(ctx, node, "Conv", [left.floats(ctx), right.floats(ctx)]), DType.I32)


@onnx_op("MatMulInteger")
def matmul_integer(ctx: Context, node: OnnxNode) -> Value:
    """The matrix product of (a - a_zero) and (b - b_zero), to int32. A row of a and a column of b may have a zero point
    of its own."""
    a, b = node.operand(0), node.operand(1)
    left, right = Centred(node, a, node.optional(2), (-1, 1)), Centred(node, b, node.optional(3), (-1,))
    exact = right.largest_sum(ctx, (max(b.type.rank - 2, 0),)) * left.peak(ctx) < EXACT
    operands = [side.floats(ctx) if exact else side.integers(ctx) for side in (left, right)]
    return ctx.cast(as_operator(ctx, node, "MatMul", operands), DType.I32)


class Centred:
    """An operand less its zero point. A vector of zero points takes the given shape, to broadcast over the operand."""

    def __init__(self, node: OnnxNode, x: Value, zero: Value | None, shape: tuple[int, ...]) -> None:
        if x.dtype not in (DType.I8, DType.U8) or (zero is not None and zero.dtype is not x.dtype):
            raise node.error(f"takes int8 and uint8 with zero points of the same type, not {x.type}")
        self._x = x
        self._zero = zero
        self._shape = () if zero is None or zero.type.size == 1 else zero.shape if zero.type.rank > 1 else shape

    def peak(self, ctx: Context) -> int:
        """The largest magnitude an element can have."""
        low, high = self._x.dtype.limits
        if self._zero is None:
            return max(-low, high)
        known = ctx.data(self._zero)
        return high - low if known is None else max(int(known.max()) - low, high - int(known.min()))

    def largest_sum(self, ctx: Context, axes: tuple[int, ...]) -> int:
        """The largest sum of magnitudes over `axes`, for the elements of a constant, or for any."""
        array, zeros = ctx.data(self._x), ctx.data(self._zero)
        if array is None or (self._zero is not None and zeros is None):
            return self.peak(ctx) * math.prod(self._x.shape[a] for a in axes)
        offset = 0 if zeros is None else zeros.astype(np.int64).reshape(self._shape)
        return int(np.abs(array.astype(np.int64) - offset).sum(axis=axes).max(initial=0))

    def floats(self, ctx: Context) -> Value:
        """In float32, which holds it exactly. A constant keeps its integers: it is a dequantize with scale 1."""
        zero = None if self._zero is None else ctx.data(self._zero)
        if self._zero is None or (zero is not None and zero.size == 1):
            return ctx.add(Dequantize(self._x, (1.0,), (0 if zero is None else int(zero.reshape(())),)))
        return ctx.emit(Sub(ctx.cast(self._x, DType.F32), self._zeros(ctx, DType.F32)))

    def integers(self, ctx: Context) -> Value:
        """In int32."""
        wide = ctx.cast(self._x, DType.I32)
        return wide if self._zero is None else ctx.emit(Sub(wide, self._zeros(ctx, DType.I32)))

    def _zeros(self, ctx: Context, dtype: DType) -> Value:
        assert self._zero is not None
        zeros = ctx.cast(self._zero, dtype)
        shape = tuple(zeros.type.size if d == -1 else d for d in self._shape)
        return ctx.reshape(zeros, shape)
