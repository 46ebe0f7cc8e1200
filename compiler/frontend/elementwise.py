"""Arithmetic, comparison and logic, element by element, as far as no operator of the IR is the same as ONNX's."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.model import element_type
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import Handler, onnx_op
from tinyc.ir import DType, Op, Value
from tinyc.ir.ops import (
    Abs,
    Add,
    And,
    Clamp,
    Div,
    Equal,
    Floor,
    Less,
    Maximum,
    Minimum,
    Mul,
    Neg,
    Not,
    Or,
    Pow,
    Sqrt,
    Sub,
    Where,
)
from tinyc.ir.tensor import Array

VARIADIC: dict[str, Callable[[Value, Value], Op]] = {"Max": Maximum, "Min": Minimum, "Sum": Add}


def _variadic(op: Callable[[Value, Value], Op]) -> Handler:
    return lambda ctx, node: reduce(lambda x, y: ctx.emit(op(x, y)), node.required())


for _name, _op in VARIADIC.items():
    onnx_op(_name)(_variadic(_op))


@onnx_op("Mean")
def mean(ctx: Context, node: OnnxNode) -> Value:
    """The mean of several tensors."""
    xs = node.required()
    total = reduce(lambda x, y: ctx.emit(Add(x, y)), xs)
    return ctx.emit(Div(total, ctx.scalar(len(xs), total)))


@onnx_op("Reciprocal")
def reciprocal(ctx: Context, node: OnnxNode) -> Value:
    """1 / x."""
    x = node.operand(0)
    return ctx.emit(Div(ctx.scalar(1, x), x))


@onnx_op("Sign")
def sign(ctx: Context, node: OnnxNode) -> Value:
    """-1, 0 or 1."""
    x = node.operand(0)
    zero = ctx.scalar(0, x)
    if limits(x.dtype)[0] == 0:
        return ctx.emit(Minimum(x, ctx.scalar(1, x)))
    positive = ctx.cast(ctx.emit(Less(zero, x)), x.dtype)
    return ctx.emit(Sub(positive, ctx.cast(ctx.emit(Less(x, zero)), x.dtype)))


@onnx_op("Greater")
def greater(ctx: Context, node: OnnxNode) -> Value:
    """x > y."""
    return ctx.emit(Less(node.operand(1), node.operand(0)))


@onnx_op("LessOrEqual")
def less_or_equal(ctx: Context, node: OnnxNode) -> Value:
    """x <= y."""
    return _at_most(ctx, node.operand(0), node.operand(1))


@onnx_op("GreaterOrEqual")
def greater_or_equal(ctx: Context, node: OnnxNode) -> Value:
    """x >= y."""
    return _at_most(ctx, node.operand(1), node.operand(0))


@onnx_op("Xor")
def exclusive_or(ctx: Context, node: OnnxNode) -> Value:
    """Whether two booleans differ."""
    return ctx.emit(Not(ctx.emit(Equal(node.operand(0), node.operand(1)))))


@onnx_op("IsNaN")
def is_nan(ctx: Context, node: OnnxNode) -> Value:
    """Whether x is not a number: it then differs from itself."""
    return ctx.emit(Not(ctx.emit(Equal(node.operand(0), node.operand(0)))))


@onnx_op("IsInf")
def is_inf(ctx: Context, node: OnnxNode) -> Value:
    """Whether x is infinite, of the signs asked for."""
    x = node.operand(0)
    infinities = [np.inf] if node.integer("detect_positive", 1) else []
    infinities += [-np.inf] if node.integer("detect_negative", 1) else []
    found = [ctx.emit(Equal(x, ctx.scalar(value, x))) for value in infinities]
    return reduce(lambda a, b: ctx.emit(Or(a, b)), found) if found else ctx.constant(np.zeros(x.shape, np.bool_))


@onnx_op("Cast")
def cast(ctx: Context, node: OnnxNode) -> Value:
    """Converts the element type."""
    return ctx.cast(node.operand(0), element_type(node.integer("to"), f"the result of {node.where}"))


@onnx_op("CastLike")
def cast_like(ctx: Context, node: OnnxNode) -> Value:
    """Converts to the element type of another tensor."""
    return ctx.cast(node.operand(0), node.operand(1).dtype)


@onnx_op("Mod")
def modulo(ctx: Context, node: OnnxNode) -> Value:
    """The remainder, with the sign of the divisor (fmod = 0) or of the dividend (fmod = 1)."""
    x, y = node.operand(0), node.operand(1)
    zero = ctx.scalar(0, x)
    if x.dtype.is_float:
        if not node.integer("fmod", 0):
            raise node.error("fmod = 0 is for integers only")
        size, divisor = ctx.emit(Abs(x)), ctx.emit(Abs(y))
        rest = _remainder(ctx, size, divisor, ctx.emit(Floor(ctx.emit(Div(size, divisor)))))
        # The quotient may have been rounded up to the next integer; the remainder is negative then.
        rest = ctx.emit(Where(ctx.emit(Less(rest, zero)), ctx.emit(Add(rest, divisor)), rest))
        return ctx.emit(Where(ctx.emit(Less(x, zero)), ctx.emit(Neg(rest)), rest))
    rest = _remainder(ctx, x, y, ctx.emit(Div(x, y)))
    if node.integer("fmod", 0) or limits(x.dtype)[0] == 0:
        return rest
    differs = ctx.emit(Not(ctx.emit(Equal(ctx.emit(Less(rest, zero)), ctx.emit(Less(y, zero))))))
    turns = ctx.emit(And(differs, ctx.emit(Not(ctx.emit(Equal(rest, zero))))))
    return ctx.emit(Where(turns, ctx.emit(Add(rest, y)), rest))


@onnx_op("Pow")
def power(ctx: Context, node: OnnxNode) -> Value:
    """x to the power y; small constant exponents become products or roots. The result has the type of x."""
    x, y = node.operand(0), node.operand(1)
    exponent = ctx.data(y)
    if exponent is not None and exponent.size == 1 and y.type.rank <= x.type.rank:
        number = float(exponent.reshape(()))
        lifted = ctx.reshape(x, (*(1,) * (y.type.rank - x.type.rank), *x.shape))
        if number in (1.0, 2.0, 3.0):
            return reduce(lambda a, _: ctx.emit(Mul(a, lifted)), range(int(number) - 1), lifted)
        if number == 0.5 and x.dtype.is_float:
            return ctx.emit(Sqrt(x))
    if not x.dtype.is_float:
        raise node.error(f"powers of {x.dtype.value} are supported for the constant exponents 1, 2 and 3 only")
    return ctx.emit(Pow(x, ctx.cast(y, x.dtype)))


@onnx_op("Clip")
def clip(ctx: Context, node: OnnxNode) -> Value:
    """Limits that are attributes (before opset 11) or inputs, each of which may be absent."""
    x = node.operand(0)
    low = _limit(ctx, node, "min", 1, x)
    high = _limit(ctx, node, "max", 2, x)
    known_low, known_high = ctx.data(low), ctx.data(high)
    fixed = (low is None or known_low is not None) and (high is None or known_high is not None)
    if fixed:
        least = _number(known_low, x.dtype, -np.inf)
        most = _number(known_high, x.dtype, np.inf)
        if least <= most:
            return ctx.emit(Clamp(x, least, most)) if (least, most) != (-np.inf, np.inf) else x
    above = x if low is None else ctx.emit(Maximum(x, low))
    return above if high is None else ctx.emit(Minimum(above, high))


def limits(dtype: DType) -> tuple[float, float]:
    """The least and the greatest number of an element type."""
    if dtype.is_float:
        return float(np.finfo(np.float32).min), float(np.finfo(np.float32).max)
    if dtype is DType.BOOL:
        return 0, 1
    bits = 8 * dtype.bytes
    return (0, 2**bits - 1) if dtype is DType.U8 else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _limit(ctx: Context, node: OnnxNode, name: str, index: int, x: Value) -> Value | None:
    return ctx.scalar(node.number(name), x) if node.has(name) else node.optional(index)


def _number(limit: Array | None, dtype: DType, absent: float) -> float:
    """A limit as a number; one that the element type cannot exceed anyway is absent."""
    if limit is None:
        return absent
    value = limit.reshape(()).item()
    return absent if value == limits(dtype)[1 if absent > 0 else 0] else float(value)


def _at_most(ctx: Context, x: Value, y: Value) -> Value:
    """x <= y, false where one is not a number."""
    return ctx.emit(Or(ctx.emit(Less(x, y)), ctx.emit(Equal(x, y))))


def _remainder(ctx: Context, x: Value, y: Value, quotient: Value) -> Value:
    return ctx.emit(Sub(x, ctx.emit(Mul(quotient, y))))
