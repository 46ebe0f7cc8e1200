"""QuantizeLinear and DequantizeLinear, and the same done on the fly: real numbers are scale * (q - zero).

With constant scales these become the IR's quantize and dequantize, which a later pass turns into integer operators.
Where a scale is computed by the model, or each channel of an activation has its own, they are composed of elementwise
operators: slower, and never integer, but what the model says.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.model import type_name
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import MICROSOFT, handler_for, onnx_op
from tinyc.ir import DType, Value
from tinyc.ir.ops import (
    Add,
    Clamp,
    Div,
    Equal,
    Maximum,
    Minimum,
    Mul,
    ReduceMax,
    ReduceMin,
    Round,
    Sub,
    Where,
)
from tinyc.ir.ops.quantise import Dequantize, Quantize

_TYPES: dict[int, DType] = {TensorProto.INT8: DType.I8, TensorProto.UINT8: DType.U8, TensorProto.INT16: DType.I16}

_KNOWN = "int8, uint8, int16 and uint16"


@dataclass(frozen=True)
class Grid:
    """The values an integer tensor can stand for: a scale and an optional zero point for all of it, or for each entry
    of dimension `axis`, as tensors of the model."""

    scale: Value
    zero: Value | None
    axis: int | None = None

    @property
    def whole(self) -> bool:
        """Whether one scale serves all elements."""
        return self.scale.type.size == 1


def grid(node: OnnxNode, x: Value, scale: Value, zero: Value | None, axis: int | None = None) -> Grid:
    """A checked grid for a tensor. Raises `FrontendError` for scales that do not fit, and for blocks with a scale each.

    `axis` counts from the front or from the back; None where only one scale for all is allowed.
    """
    if not scale.dtype.is_float:
        raise node.error(f"the scale is {scale.type}, not float32")
    if scale.type.size == 1:
        if zero is not None and zero.type.size != 1:
            raise node.error(f"one scale and {zero.type.size} zero points do not fit each other")
        return Grid(scale, zero)
    if scale.type.rank != 1:
        raise node.error(
            f"the scale is {scale.type}: scales for blocks of a channel are not supported; "
            f"quantise the model with one scale a tensor or one a channel"
        )
    if axis is None or x.shape[(at := node.axis(axis, x.type.rank))] != scale.type.size:
        raise node.error(f"{scale.type.size} scales do not fit {x.type}" + ("" if axis is None else f" along {axis}"))
    if zero is not None and zero.shape != scale.shape:
        raise node.error(f"{scale.type.size} scales and zero points {zero.type} do not fit each other")
    return Grid(scale, zero, at)


def dequantise(ctx: Context, node: OnnxNode, q: Value, on: Grid) -> Value:
    """scale * (q - zero), in float32."""
    if q.dtype not in (DType.I8, DType.U8, DType.I16, DType.I32):
        raise node.error(f"{q.type} cannot be dequantised (supported: int8, uint8, int16, and int32 for biases)")
    q, on = _centred(ctx, q, on)
    scales, zeros = ctx.data(on.scale), ctx.data(on.zero)
    if scales is not None and (on.zero is None or zeros is not None) and (on.whole or ctx.data(q) is not None):
        flat = _positive(node, scales, least=0.0)
        zero = (0,) * len(flat) if zeros is None else tuple(int(z) for z in zeros.reshape(-1))
        return ctx.add(Dequantize(q, flat, zero, on.axis or 0))
    wide = ctx.cast(q, DType.I32)
    if on.zero is not None:
        wide = ctx.emit(Sub(wide, _along(ctx, ctx.cast(on.zero, DType.I32), q, on)))
    return ctx.emit(Mul(ctx.cast(wide, DType.F32), _along(ctx, on.scale, q, on)))


def _centred(ctx: Context, q: Value, on: Grid) -> tuple[Value, Grid]:
    """Constant integers of 4 bits with a zero point, which int8 holds without one."""
    data, zeros = ctx.data(q), ctx.data(on.zero)
    if on.zero is None or data is None or zeros is None or q.dtype not in (DType.I8, DType.U8):
        return q, on
    both = np.concatenate([data.reshape(-1), zeros.reshape(-1)]).astype(np.int64)
    if not zeros.any() or both.min() < -8 or both.max() > 15:
        return q, on
    shape = () if on.axis is None else tuple(n if d == on.axis else 1 for d, n in enumerate(q.shape))
    integers = data.astype(np.int64) - zeros.astype(np.int64).reshape(shape)
    return ctx.constant(integers.astype(np.int8)), dataclasses.replace(on, zero=None)


def _dequantise_blocks(ctx: Context, node: OnnxNode, q: Value, size: int) -> Value:
    """Constants of which so many that follow each other along an axis have a scale of their own, as floats."""
    data, axis = ctx.known(node, q, "the operand"), node.axis(node.integer("axis", 1), q.type.rank)
    scales, zero = ctx.known(node, node.operand(1), "the scale"), node.optional(2)
    blocks = tuple(-(-n // size) if d == axis else n for d, n in enumerate(data.shape))
    zeros = np.zeros(blocks) if zero is None else ctx.known(node, zero, "the zero point")
    if scales.shape != blocks or zeros.shape != blocks:
        raise node.error(
            f"scales {list(scales.shape)} and zero points {list(zeros.shape)} are not {list(blocks)}, one for each "
            f"{size} elements of {q.type} along {axis}"
        )
    _positive(node, scales, least=0.0)
    taken = np.arange(data.shape[axis]) // size
    centred = data.astype(np.int64) - zeros.take(taken, axis).astype(np.int64)
    return ctx.constant(centred.astype(np.float32) * scales.take(taken, axis).astype(np.float32))


def quantise(ctx: Context, node: OnnxNode, x: Value, on: Grid, to: DType) -> Value:
    """x / scale, rounded half to even, plus zero, limited to the type's range."""
    if to not in _TYPES.values():
        raise node.error(f"quantises to {to.value}, which is not supported (supported: {_KNOWN})")
    scales, zeros = ctx.data(on.scale), ctx.data(on.zero)
    if on.whole and scales is not None and (on.zero is None or zeros is not None):
        (scale,) = _positive(node, scales, least=float(np.finfo(np.float32).tiny))
        return ctx.emit(Quantize(ctx.cast(x, DType.F32), scale, 0 if zeros is None else int(zeros.reshape(())), to))
    steps = ctx.emit(Round(ctx.emit(Div(ctx.cast(x, DType.F32), _along(ctx, on.scale, x, on)))))
    if on.zero is not None:
        steps = ctx.emit(Add(steps, _along(ctx, ctx.cast(on.zero, DType.F32), x, on)))
    low, high = to.limits
    return ctx.cast(ctx.emit(Clamp(steps, float(low), float(high))), to)


def _along(ctx: Context, numbers: Value, x: Value, on: Grid) -> Value:
    """Scales or zero points in a shape that broadcasts over x."""
    axis = on.axis
    shape = () if axis is None else tuple(n if d == axis else 1 for d, n in enumerate(x.shape))
    return ctx.reshape(numbers, shape)


def _positive(node: OnnxNode, scales: np.typing.NDArray[np.generic], least: float) -> tuple[float, ...]:
    flat = tuple(float(s) for s in scales.reshape(-1))
    wrong = [s for s in flat if not least <= s < np.inf]
    if wrong:
        raise node.error(f"a scale is {wrong[0]:g}; scales are positive and finite")
    return flat


@onnx_op("QuantizeLinear")
@onnx_op("QuantizeLinear", domain=MICROSOFT)
def quantize_linear(ctx: Context, node: OnnxNode) -> Value:
    """Floats to int8, uint8 or int16; uint16 has become that before (unsigned16.py)."""
    node.refuse("block_size")
    node.refuse("precision")
    x, zero = node.operand(0), node.optional(2)
    code = node.integer("output_dtype", TensorProto.UNDEFINED) or TensorProto.UINT8
    if zero is None and code not in _TYPES:
        raise node.error(f"quantises to {type_name(code)}, which is not supported (supported: {_KNOWN})")
    to = zero.dtype if zero is not None else _TYPES[code]
    return quantise(ctx, node, x, grid(node, x, node.operand(1), zero, node.integer("axis", 1)), to)


@onnx_op("DequantizeLinear")
@onnx_op("DequantizeLinear", domain=MICROSOFT)
def dequantize_linear(ctx: Context, node: OnnxNode) -> Value:
    """Integers to floats. Of a constant, it stays: these are quantised weights."""
    code, size = node.integer("output_dtype", TensorProto.UNDEFINED), node.integer("block_size", 0)
    if code not in (TensorProto.UNDEFINED, TensorProto.FLOAT):
        raise node.error(f"dequantises to {type_name(code)}, which is not supported (supported: float32)")
    q = node.operand(0)
    if size > 0:
        return _dequantise_blocks(ctx, node, q, size)
    return dequantise(ctx, node, q, grid(node, q, node.operand(1), node.optional(2), node.integer("axis", 1)))


@onnx_op("DynamicQuantizeLinear")
def dynamic_quantize_linear(ctx: Context, node: OnnxNode) -> Sequence[Value]:
    """Floats to uint8 on a grid made for their range, which always includes zero; gives the scale and the zero point
    as well. Zeros alone get the scale 1, as in onnxruntime, where ONNX's definition divides by zero."""
    x = node.operand(0)
    if not x.dtype.is_float:
        raise node.error(f"takes floating point, not {x.type}")
    axes = tuple(range(x.type.rank))
    nothing = ctx.scalar(0, x)
    low = ctx.emit(Minimum(ctx.reshape(ctx.emit(ReduceMin(x, axes)), ()), nothing))
    high = ctx.emit(Maximum(ctx.reshape(ctx.emit(ReduceMax(x, axes)), ()), nothing))
    steps = ctx.emit(Div(ctx.emit(Sub(high, low)), ctx.scalar(255, x)))
    scale = ctx.emit(Where(ctx.emit(Equal(high, low)), ctx.scalar(1, x), steps))
    start = ctx.emit(Clamp(ctx.emit(Sub(nothing, ctx.emit(Div(low, scale)))), 0.0, 255.0))
    zero = ctx.cast(ctx.emit(Round(start)), DType.U8)
    return quantise(ctx, node, x, Grid(scale, zero), DType.U8), scale, zero


def as_operator(ctx: Context, node: OnnxNode, handler_of: str, operands: Sequence[Value | None]) -> Value:
    """The node imported as if it were another operator of ONNX's own domain, on other operands."""
    handler = handler_for(handler_of)
    assert handler is not None
    result = handler(ctx, dataclasses.replace(node, operands=tuple(operands)))
    return result if isinstance(result, Value) else result[0]
