"""Activation functions, made of clamps, exponentials and their like."""

from __future__ import annotations

import math

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.ir import Value
from tinyc.ir.ops import (
    Abs,
    Add,
    Clamp,
    Div,
    Erf,
    Exp,
    LeakyRelu,
    Less,
    Log,
    Minimum,
    Mul,
    Neg,
    Sigmoid,
    Sub,
    Tanh,
    Where,
)


@onnx_op("Relu")
def relu(ctx: Context, node: OnnxNode) -> Value:
    """x where positive, else 0."""
    return ctx.emit(Clamp(node.operand(0), min=0.0))


@onnx_op("LeakyRelu")
def leaky_relu(ctx: Context, node: OnnxNode) -> Value:
    """x where positive, else alpha * x."""
    return ctx.emit(LeakyRelu(node.operand(0), node.number("alpha", 0.01)))


@onnx_op("PRelu")
def prelu(ctx: Context, node: OnnxNode) -> Value:
    """x where positive, else slope * x, with a slope that broadcasts."""
    x, slope = node.operand(0), node.operand(1)
    known = ctx.data(slope)
    if known is not None and known.size and x.dtype.is_float and bool((known == known.flat[0]).all()):
        return ctx.emit(LeakyRelu(x, float(known.flat[0])))
    return _below_zero(ctx, x, ctx.emit(Mul(x, slope)))


@onnx_op("ThresholdedRelu")
def thresholded_relu(ctx: Context, node: OnnxNode) -> Value:
    """x where above alpha, else 0."""
    x = node.operand(0)
    above = ctx.emit(Less(ctx.scalar(node.number("alpha", 1.0), x), x))
    return ctx.emit(Where(above, x, ctx.scalar(0, x)))


@onnx_op("Elu")
def elu(ctx: Context, node: OnnxNode) -> Value:
    """x where positive, else alpha * (e^x - 1)."""
    x = node.operand(0)
    return _below_zero(ctx, x, _times(ctx, _exp_minus_one(ctx, x), node.number("alpha", 1.0)))


@onnx_op("Selu")
def selu(ctx: Context, node: OnnxNode) -> Value:
    """Gamma times the ELU, with the constants that make it self-normalising."""
    x = node.operand(0)
    low = _times(ctx, _exp_minus_one(ctx, x), node.number("alpha", 1.67326319217681884765625))
    return _times(ctx, _below_zero(ctx, x, low), node.number("gamma", 1.05070102214813232421875))


@onnx_op("Celu")
def celu(ctx: Context, node: OnnxNode) -> Value:
    """x where positive, else alpha * (e^(x / alpha) - 1)."""
    x = node.operand(0)
    alpha = node.number("alpha", 1.0)
    scaled = x if alpha == 1.0 else ctx.emit(Div(x, ctx.scalar(alpha, x)))
    return _below_zero(ctx, x, _times(ctx, _exp_minus_one(ctx, scaled), alpha))


@onnx_op("HardSigmoid")
def hard_sigmoid(ctx: Context, node: OnnxNode) -> Value:
    """Alpha * x + beta, limited to 0 .. 1."""
    return _hard_sigmoid(ctx, node.operand(0), node.number("alpha", 0.2), node.number("beta", 0.5))


@onnx_op("HardSwish")
def hard_swish(ctx: Context, node: OnnxNode) -> Value:
    """x times its hard sigmoid of slope 1/6."""
    x = node.operand(0)
    return ctx.emit(Mul(x, _hard_sigmoid(ctx, x, 1 / 6, 0.5)))


@onnx_op("Softplus")
def softplus(ctx: Context, node: OnnxNode) -> Value:
    """log(1 + e^x)."""
    return _softplus(ctx, node.operand(0))


@onnx_op("Mish")
def mish(ctx: Context, node: OnnxNode) -> Value:
    """x * tanh(log(1 + e^x))."""
    x = node.operand(0)
    return ctx.emit(Mul(x, ctx.emit(Tanh(_softplus(ctx, x)))))


@onnx_op("Swish")
def swish(ctx: Context, node: OnnxNode) -> Value:
    """x * sigmoid(alpha * x)."""
    x = node.operand(0)
    return ctx.emit(Mul(x, ctx.emit(Sigmoid(_times(ctx, x, node.number("alpha", 1.0))))))


@onnx_op("Softsign")
def softsign(ctx: Context, node: OnnxNode) -> Value:
    """x / (1 + |x|)."""
    x = node.operand(0)
    size = ctx.emit(Abs(x))
    return ctx.emit(Div(x, ctx.emit(Add(size, ctx.scalar(1, x)))))


@onnx_op("Gelu")
def gelu(ctx: Context, node: OnnxNode) -> Value:
    """x times the normal distribution's probability of less than x, exactly or by a hyperbolic tangent."""
    x = node.operand(0)
    if node.choice("approximate", ("none", "tanh"), "none") == "none":
        inner = ctx.emit(Erf(_times(ctx, x, math.sqrt(0.5))))
    else:
        cubed = _times(ctx, ctx.emit(Mul(x, ctx.emit(Mul(x, x)))), 0.044715)
        inner = ctx.emit(Tanh(_times(ctx, ctx.emit(Add(x, cubed)), math.sqrt(2 / math.pi))))
    return ctx.emit(Mul(_times(ctx, x, 0.5), ctx.emit(Add(inner, ctx.scalar(1, inner)))))


@onnx_op("Shrink")
def shrink(ctx: Context, node: OnnxNode) -> Value:
    """x + bias below -lambd, x - bias above lambd, else 0."""
    x = node.operand(0)
    bias, limit = node.number("bias", 0.0), node.number("lambd", 0.5)
    if not x.dtype.is_float:
        raise node.error(f"takes floating point, not {x.type}")
    above, below = ctx.emit(Less(ctx.scalar(limit, x), x)), ctx.emit(Less(x, ctx.scalar(-limit, x)))
    less, more = ctx.emit(Sub(x, ctx.scalar(bias, x))), ctx.emit(Add(x, ctx.scalar(bias, x)))
    return ctx.emit(Where(below, more, ctx.emit(Where(above, less, ctx.scalar(0, x)))))


def _below_zero(ctx: Context, x: Value, low: Value) -> Value:
    """`low` where x < 0, else x."""
    return ctx.emit(Where(ctx.emit(Less(x, ctx.scalar(0, x))), low, x))


def _exp_minus_one(ctx: Context, x: Value) -> Value:
    return ctx.emit(Sub(ctx.emit(Exp(x)), ctx.scalar(1, x)))


def _times(ctx: Context, x: Value, factor: float) -> Value:
    return x if factor == 1.0 else ctx.emit(Mul(x, ctx.scalar(factor, x)))


def _hard_sigmoid(ctx: Context, x: Value, alpha: float, beta: float) -> Value:
    return ctx.emit(Clamp(ctx.emit(Add(_times(ctx, x, alpha), ctx.scalar(beta, x))), 0.0, 1.0))


def _softplus(ctx: Context, x: Value) -> Value:
    """max(x, 0) + log(1 + e^-|x|), which does not overflow."""
    falls = ctx.emit(Exp(ctx.emit(Minimum(x, ctx.emit(Neg(x))))))
    return ctx.emit(Add(ctx.emit(Clamp(x, min=0.0)), ctx.emit(Log(ctx.emit(Add(falls, ctx.scalar(1, x)))))))
