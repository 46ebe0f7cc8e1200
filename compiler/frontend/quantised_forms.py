"""The operator form of quantised models: one node for dequantize, float operator, quantize.

That is how ONNX and onnxruntime define these operators, and it is how they are imported, so that what follows deals
with one form. onnxruntime's own kernels round here and there in another place, which may differ by one step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.quantised import as_operator, dequantise, grid, quantise
from tinyc.compiler.frontend.registry import MICROSOFT, SHAPED_LIKE, onnx_op
from tinyc.ir import DType, Value
from tinyc.ir.ops import Concat
from tinyc.ir.ops.quantise import Dequantize

Handler = Callable[[Context, OnnxNode], Value]


def _operand(ctx: Context, node: OnnxNode, first: int, axis: int | None = None) -> Value:
    """The real value of inputs `first` (integers), `first + 1` (scale) and `first + 2` (zero point)."""
    q = node.operand(first)
    return dequantise(ctx, node, q, grid(node, q, node.operand(first + 1), node.optional(first + 2), axis))


def _result(ctx: Context, node: OnnxNode, y: Value, first: int) -> Value:
    """Quantised by inputs `first` (scale) and `first + 1` (zero point); as the first input where that is left out."""
    zero = node.optional(first + 1)
    to = node.operand(0).dtype if zero is None else zero.dtype
    return quantise(ctx, node, y, grid(node, y, node.operand(first), zero), to)


def _unary(name: str, operator: str) -> None:
    """Registers onnxruntime's `name`: x, its scale and zero point, then those of the result."""

    def handler(ctx: Context, node: OnnxNode) -> Value:
        return _result(ctx, node, as_operator(ctx, node, operator, [_operand(ctx, node, 0)]), 3)

    onnx_op(name, domain=MICROSOFT)(_channels_first(handler))
    _shaped_like(name, operator, lambda names: names[:1])


def _binary(name: str, operator: str) -> None:
    """Registers onnxruntime's `name`: x and y, each with its scale and zero point, then those of the result."""

    def handler(ctx: Context, node: OnnxNode) -> Value:
        operands = [_operand(ctx, node, 0), _operand(ctx, node, 3)]
        return _result(ctx, node, as_operator(ctx, node, operator, operands), 6)

    onnx_op(name, domain=MICROSOFT)(handler)
    _shaped_like(name, operator, lambda names: [names[0], names[3]])


def _shaped_like(name: str, operator: str, taken: Callable[[Sequence[str]], Sequence[str]]) -> None:
    SHAPED_LIKE[f"{MICROSOFT}:{name}"] = (operator, taken)


def _channels_first(handler: Handler) -> Handler:
    """A handler for channel-first operands, made to honour `channels_last` for its first operand and its result."""

    def wrapped(ctx: Context, node: OnnxNode) -> Value:
        if not node.integer("channels_last", 0):
            return handler(ctx, node)
        x = node.operand(0)
        rank = x.type.rank
        if rank < 3:
            raise node.error(f"channels_last needs spatial dimensions, and its input is {x.type}")
        first = ctx.transpose(x, (0, rank - 1, *range(1, rank - 1)))
        y = handler(ctx, dataclasses.replace(node, operands=(first, *node.operands[1:])))
        return ctx.transpose(y, (0, *range(2, rank), 1))

    return wrapped


_unary("QLinearAveragePool", "AveragePool")
_unary("QLinearGlobalAveragePool", "GlobalAveragePool")
_unary("QLinearSigmoid", "Sigmoid")
_unary("QLinearLeakyRelu", "LeakyRelu")
_binary("QLinearAdd", "Add")
_binary("QLinearMul", "Mul")
_shaped_like("QLinearConv", "Conv", lambda names: [names[0], names[3]])
_shaped_like("QGemm", "Gemm", lambda names: [names[0], names[3]])
_shaped_like("QLinearConcat", "Concat", lambda names: names[2::3])
_shaped_like("QLinearSoftmax", "Softmax", lambda names: names[:1])
_shaped_like("QuantizeLinear", "Identity", lambda names: names[:1])
_shaped_like("DequantizeLinear", "Identity", lambda names: names[:1])


def qlinear_conv(ctx: Context, node: OnnxNode) -> Value:
    """Convolution. The bias is int32, of the operand's scale times the weights'."""
    x, w, bias = _operand(ctx, node, 0), _operand(ctx, node, 3, axis=0), node.optional(8)
    b = None if bias is None else _bias(ctx, node, bias, _scales(ctx, node, 1) * _scales(ctx, node, 4))
    return _result(ctx, node, as_operator(ctx, node, "Conv", [x, w, b]), 6)


onnx_op("QLinearConv")(qlinear_conv)
onnx_op("QLinearConv", domain=MICROSOFT)(_channels_first(qlinear_conv))


@onnx_op("QLinearMatMul")
def qlinear_matmul(ctx: Context, node: OnnxNode) -> Value:
    """Matrix product; a row of the left or a column of the right operand may have a scale of its own."""
    operands = [_operand(ctx, node, 0, axis=-2), _operand(ctx, node, 3, axis=-1)]
    return _result(ctx, node, as_operator(ctx, node, "MatMul", operands), 6)


@onnx_op("QGemm", domain=MICROSOFT)
def qgemm(ctx: Context, node: OnnxNode) -> Value:
    """alpha * A @ B + C, with an int32 C of the scale alpha * a_scale * b_scale. Floats, if the result has no scale."""
    columns = 0 if node.integer("transB", 0) else 1
    a, b, c = _operand(ctx, node, 0), _operand(ctx, node, 3, axis=columns), node.optional(6)
    if c is not None:
        c = _bias(ctx, node, c, node.number("alpha", 1.0) * _scales(ctx, node, 1) * _scales(ctx, node, 4))
    y = as_operator(ctx, node, "Gemm", [a, b, c])
    return y if node.optional(7) is None else _result(ctx, node, y, 7)


@onnx_op("QLinearConcat", domain=MICROSOFT)
def qlinear_concat(ctx: Context, node: OnnxNode) -> Value:
    """Joins tensors of different scales. Inputs: the result's scale and zero point, then three for each tensor."""
    if len(node.operands) < 5 or len(node.operands) % 3 != 2:
        raise node.error(f"has {len(node.operands)} inputs; it takes 2, and 3 for each tensor it joins")
    xs = tuple(_operand(ctx, node, k) for k in range(2, len(node.operands), 3))
    y = ctx.emit(Concat(xs, node.axis(node.integer("axis"), xs[0].type.rank)))
    zero = node.optional(1)
    to = node.operand(2).dtype if zero is None else zero.dtype
    return quantise(ctx, node, y, grid(node, y, node.operand(0), zero), to)


@onnx_op("QLinearSoftmax", domain=MICROSOFT)
def qlinear_softmax(ctx: Context, node: OnnxNode) -> Value:
    """Softmax, by the rules for its axis of the ONNX opset that an attribute names."""
    like = dataclasses.replace(node, opset=node.integer("opset"))
    return _result(ctx, node, as_operator(ctx, like, "Softmax", [_operand(ctx, node, 0)]), 3)


def _scales(ctx: Context, node: OnnxNode, index: int) -> np.typing.NDArray[np.float64]:
    return ctx.known(node, node.operand(index), "a scale").astype(np.float64).reshape(-1)


def _bias(ctx: Context, node: OnnxNode, q: Value, scales: Sequence[float] | np.typing.NDArray[np.float64]) -> Value:
    """An int32 bias, one entry an output channel (its last dimension)."""
    if q.dtype is not DType.I32:
        raise node.error(f"the bias is {q.type}, not int32")
    scale = tuple(float(s) for s in scales)
    return ctx.add(Dequantize(q, scale, (0,) * len(scale), max(q.type.rank - 1, 0)))
