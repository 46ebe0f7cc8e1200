"""Reductions. The IR's keep the reduced dimensions; a reshape drops them."""

from __future__ import annotations

from collections.abc import Callable

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import Handler, onnx_op
from tinyc.ir import DType, Op, Value
from tinyc.ir.ops import (
    Abs,
    Add,
    Exp,
    Log,
    Mul,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProd,
    ReduceSum,
    Sqrt,
    Sub,
)

Axes = tuple[int, ...]
Reducer = Callable[[Context, Value, Axes], Value]


def _plain(op: Callable[[Value, Axes], Op]) -> Reducer:
    return lambda ctx, x, axes: ctx.emit(op(x, axes))


def _extreme(op: Callable[[Value, Axes], Op]) -> Reducer:
    """The largest or smallest; of booleans (from opset 20) by way of small integers."""

    def run(ctx: Context, x: Value, axes: Axes) -> Value:
        if x.dtype is DType.BOOL:
            return ctx.cast(ctx.emit(op(ctx.cast(x, DType.U8), axes)), DType.BOOL)
        return ctx.emit(op(x, axes))

    return run


def _sum_of_squares(ctx: Context, x: Value, axes: Axes) -> Value:
    return ctx.emit(ReduceSum(ctx.emit(Mul(x, x)), axes))


def log_sum_exp(ctx: Context, x: Value, axes: Axes) -> Value:
    """log of the sum of exponentials, relative to the largest so that nothing overflows."""
    most = ctx.emit(ReduceMax(x, axes))
    total = ctx.emit(ReduceSum(ctx.emit(Exp(ctx.emit(Sub(x, most)))), axes))
    return ctx.emit(Add(ctx.emit(Log(total)), most))


REDUCTIONS: dict[str, Reducer] = {
    "ReduceSum": _plain(ReduceSum),
    "ReduceMean": _plain(ReduceMean),
    "ReduceProd": _plain(ReduceProd),
    "ReduceMax": _extreme(ReduceMax),
    "ReduceMin": _extreme(ReduceMin),
    "ReduceL1": lambda ctx, x, axes: ctx.emit(ReduceSum(ctx.emit(Abs(x)), axes)),
    "ReduceL2": lambda ctx, x, axes: ctx.emit(Sqrt(_sum_of_squares(ctx, x, axes))),
    "ReduceSumSquare": _sum_of_squares,
    "ReduceLogSum": lambda ctx, x, axes: ctx.emit(Log(ctx.emit(ReduceSum(x, axes)))),
    "ReduceLogSumExp": log_sum_exp,
}


def _handler(reducer: Reducer) -> Handler:
    def run(ctx: Context, node: OnnxNode) -> Value:
        x = node.operand(0)
        named = ctx.attribute_or_input(node, "axes", 1)
        if not named and node.integer("noop_with_empty_axes", 0):
            return reducer(ctx, x, ())
        axes = node.axes(named, x.type.rank) if named else tuple(range(x.type.rank))
        y = reducer(ctx, x, axes)
        if node.integer("keepdims", 1):
            return y
        return ctx.reshape(y, [n for d, n in enumerate(x.shape) if d not in axes])

    return run


for _name, _reducer in REDUCTIONS.items():
    onnx_op(_name)(_handler(_reducer))
