"""Matrix products: dense layers where the right operand is constant, general products elsewhere."""

from __future__ import annotations

import numpy as np

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.ir import Value
from tinyc.ir.ops import Add, Dense, MatMul, Mul


@onnx_op("Gemm")
def gemm(ctx: Context, node: OnnxNode) -> Value:
    """y = alpha * A @ B + beta * C. Factors on constants are folded in float64."""
    a, b, c = node.operand(0), node.operand(1), node.optional(2)
    if a.type.rank != 2 or b.type.rank != 2:
        raise node.error(f"takes matrices, not {a.type} and {b.type}")
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    if node.integer("transA", 0):
        a = ctx.transpose(a, (1, 0))
    if not ctx.is_constant(b) or not a.dtype.is_float:
        right = ctx.transpose(b, (1, 0)) if node.integer("transB", 0) else b
        return _plus(ctx, node, _times(ctx, ctx.emit(MatMul(a, right)), alpha), c, beta)
    w = b if node.integer("transB", 0) else ctx.transpose(b, (1, 0))
    weights, bias = ctx.data(w), ctx.data(c)
    if weights is not None:
        w = ctx.constant(weights * np.float64(alpha), "weights", np.float32)
    elif alpha != 1.0:  # quantised weights keep their integers
        return _plus(ctx, node, _times(ctx, ctx.emit(Dense(a, w)), alpha), c, beta)
    if bias is not None and (bias.size == 1 or bias.shape[-1] == bias.size == w.shape[0]):
        vector = np.broadcast_to(bias.reshape(-1) * np.float64(beta), (w.shape[0],))
        return ctx.emit(Dense(a, w, ctx.constant(vector, "bias", np.float32)))
    if c is not None and ctx.is_constant(c) and beta == 1.0 and c.shape[-1:] == w.shape[:1] == (c.type.size,):
        return ctx.emit(Dense(a, w, ctx.reshape(c, w.shape[:1])))
    return _plus(ctx, node, ctx.emit(Dense(a, w)), c, beta)


@onnx_op("MatMul")
def matmul(ctx: Context, node: OnnxNode) -> Value:
    """The matrix product by numpy's rules, with vectors taken as one row or one column."""
    x, y = node.operand(0), node.operand(1)
    if not x.type.rank or not y.type.rank:
        raise node.error(f"takes matrices, not {x.type} and {y.type}")
    column = y.type.rank == 1
    right = ctx.reshape(y, (*y.shape, 1)) if column else y
    result = product(ctx, x, right)
    return ctx.reshape(result, result.shape[:-1]) if column else result


def product(ctx: Context, x: Value, right: Value) -> Value:
    """The matrix product of a matrix, a vector or several of them with matrices: a dense layer where these are one
    constant."""
    if ctx.is_constant(right) and right.type.rank == 2 and x.dtype.is_float:
        return ctx.emit(Dense(x, ctx.transpose(right, (1, 0))))
    row = x.type.rank == 1
    result = ctx.emit(MatMul(ctx.reshape(x, (1, *x.shape)) if row else x, right))
    return ctx.reshape(result, (*result.shape[:-2], result.shape[-1])) if row else result


def _plus(ctx: Context, node: OnnxNode, y: Value, c: Value | None, beta: float) -> Value:
    if c is None:
        return y
    total = ctx.emit(Add(y, _times(ctx, c, beta)))
    if total.shape != y.shape:
        raise node.error(f"C {c.type} does not broadcast to {y.type}")
    return total


def _times(ctx: Context, x: Value, factor: float) -> Value:
    return x if factor == 1.0 else ctx.emit(Mul(x, ctx.scalar(factor, x)))
