"""Normalisation: by trained statistics (batch norm), by the tensor's own, and softmax."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.reduce import log_sum_exp
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.ir import Value
from tinyc.ir.ops import (
    Abs,
    Add,
    AvgPool2d,
    BatchNorm,
    Div,
    Maximum,
    Mul,
    Pow,
    ReduceMean,
    ReduceSum,
    Softmax,
    Sqrt,
    Sub,
)


@onnx_op("BatchNormalization")
def batch_norm(ctx: Context, node: OnnxNode) -> Value:
    """Normalises each channel by trained statistics."""
    node.refuse("training_mode", 0)
    node.refuse("spatial", 1)
    x = node.operand(0)
    rank = x.type.rank
    if rank < 2:
        raise node.error(f"takes an input with a batch and channels, not {x.type}")
    last = ctx.transpose(x, (0, *range(2, rank), 1))
    scale, bias, mean, variance = (node.operand(k) for k in range(1, 5))
    y = ctx.emit(BatchNorm(last, scale, bias, mean, variance, node.number("epsilon", 1e-5)))
    return ctx.transpose(y, (0, rank - 1, *range(1, rank - 1)))


@onnx_op("InstanceNormalization")
def instance_norm(ctx: Context, node: OnnxNode) -> Value:
    """Normalises each channel by its own mean and variance."""
    x = node.operand(0)
    y, _, _ = _standardise(ctx, x, tuple(range(2, x.type.rank)), node.number("epsilon", 1e-5))
    scaled = ctx.emit(Mul(y, ctx.per_channel(node.operand(1), x.type.rank)))
    return ctx.emit(Add(scaled, ctx.per_channel(node.operand(2), x.type.rank)))


@onnx_op("LayerNormalization")
def layer_norm(ctx: Context, node: OnnxNode) -> Sequence[Value]:
    """Normalises the dimensions from an axis on; gives the mean and the inverse deviation as well."""
    x, bias = node.operand(0), node.optional(2)
    axis = node.axis(node.integer("axis", -1), x.type.rank)
    y, mean, deviation = _standardise(ctx, x, tuple(range(axis, x.type.rank)), node.number("epsilon", 1e-5))
    y = ctx.emit(Mul(y, node.operand(1)))
    result = y if bias is None else ctx.emit(Add(y, bias))
    if not node.uses_output(2):
        return result, mean
    return result, mean, ctx.emit(Div(ctx.scalar(1, deviation), deviation))


@onnx_op("GroupNormalization")
def group_norm(ctx: Context, node: OnnxNode) -> Value:
    """Normalises groups of channels. Scale and bias have one entry a group (opset 18) or a channel (from 21)."""
    x, scale, bias = node.operand(0), node.operand(1), node.operand(2)
    groups = node.integer("num_groups")
    if x.type.rank < 3 or groups < 1 or x.shape[1] % groups:
        raise node.error(f"the channels of {x.type} do not make {groups} groups")
    grouped = ctx.reshape(x, (x.shape[0], groups, x.type.size // (x.shape[0] * groups)))
    y, _, _ = _standardise(ctx, grouped, (2,), node.number("epsilon", 1e-5))
    if scale.shape == (groups,) and node.opset < 21:
        y = ctx.emit(Add(ctx.emit(Mul(y, ctx.per_channel(scale, 3))), ctx.per_channel(bias, 3)))
        return ctx.reshape(y, x.shape)
    y = ctx.emit(Mul(ctx.reshape(y, x.shape), ctx.per_channel(scale, x.type.rank)))
    return ctx.emit(Add(y, ctx.per_channel(bias, x.type.rank)))


@onnx_op("LpNormalization")
def lp_norm(ctx: Context, node: OnnxNode) -> Value:
    """x over its norm along an axis; where the norm is 0, the result is 0."""
    x = node.operand(0)
    axis = node.axis(node.integer("axis", -1), x.type.rank)
    if node.integer("p", 2) == 1:
        norm = ctx.emit(ReduceSum(ctx.emit(Abs(x)), (axis,)))
    else:
        norm = ctx.emit(Sqrt(ctx.emit(ReduceSum(ctx.emit(Mul(x, x)), (axis,)))))
    return ctx.emit(Div(x, ctx.emit(Maximum(norm, ctx.scalar(1e-38, norm)))))


@onnx_op("LRN")
def local_response_norm(ctx: Context, node: OnnxNode) -> Value:
    """x / (bias + alpha * mean of squares over neighbouring channels) ^ beta.

    The squares, taken as rows of channels, are averaged by a pool of one column.
    """
    x, size = node.operand(0), node.integer("size")
    if x.type.rank < 3 or size < 1:
        raise node.error(f"takes channels and spatial dimensions, not {x.type}")
    n, c, *spatial = x.shape
    squares = ctx.reshape(ctx.emit(Mul(x, x)), (n, c, 1, math.prod(spatial)))
    pads = ((size - 1) // 2, 0, size // 2, 0)
    mean = ctx.reshape(ctx.emit(AvgPool2d(squares, (size, 1), pads=pads, count_pads=True)), x.shape)
    scaled = ctx.emit(Mul(mean, ctx.scalar(node.number("alpha", 1e-4), x)))
    base = ctx.emit(Add(scaled, ctx.scalar(node.number("bias", 1.0), x)))
    return ctx.emit(Div(x, ctx.emit(Pow(base, ctx.scalar(node.number("beta", 0.75), x)))))


@onnx_op("Softmax")
def softmax(ctx: Context, node: OnnxNode) -> Value:
    """Softmax along an axis; before opset 13, over all dimensions from the axis on."""
    x = node.operand(0)
    if node.opset < 13:
        axis = _axis(node, x, 1)
        if math.prod(x.shape[axis + 1 :]) == 1 and axis < x.type.rank:
            return _softmax_along(ctx, x, axis)
        return ctx.reshape(ctx.emit(Softmax(ctx.reshape(x, _matrix(x, axis)))), x.shape)
    return _softmax_along(ctx, x, _axis(node, x, -1))


@onnx_op("LogSoftmax")
def log_softmax(ctx: Context, node: OnnxNode) -> Value:
    """The logarithm of softmax: x less the log of the sum of exponentials."""
    x = node.operand(0)
    axis = _axis(node, x, 1 if node.opset < 13 else -1)
    axes = tuple(range(axis, x.type.rank)) if node.opset < 13 else (axis,)
    return ctx.emit(Sub(x, log_sum_exp(ctx, x, axes)))


def _axis(node: OnnxNode, x: Value, default: int) -> int:
    return node.axis(node.integer("axis", default), x.type.rank)


def _matrix(x: Value, axis: int) -> tuple[int, int]:
    return math.prod(x.shape[:axis]), math.prod(x.shape[axis:])


def _softmax_along(ctx: Context, x: Value, axis: int) -> Value:
    """Softmax of one axis: brought last, by a reshape where only dimensions of size 1 follow."""
    if math.prod(x.shape[axis + 1 :]) == 1:
        flat = ctx.reshape(x, x.shape[: axis + 1])
        return ctx.reshape(ctx.emit(Softmax(flat)), x.shape)
    perm = list(range(x.type.rank))
    perm[axis], perm[-1] = perm[-1], perm[axis]
    return ctx.transpose(ctx.emit(Softmax(ctx.transpose(x, perm))), perm)


def _standardise(ctx: Context, x: Value, axes: tuple[int, ...], epsilon: float) -> tuple[Value, Value, Value]:
    """(x - mean) / deviation over dimensions, the mean and the deviation."""
    mean = ctx.emit(ReduceMean(x, axes))
    centred = ctx.emit(Sub(x, mean))
    variance = ctx.emit(ReduceMean(ctx.emit(Mul(centred, centred)), axes))
    deviation = ctx.emit(Sqrt(ctx.emit(Add(variance, ctx.scalar(epsilon, variance)))))
    return ctx.emit(Div(centred, deviation)), mean, deviation
