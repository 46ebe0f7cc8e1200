"""GridSample: an image at places that a grid names, which are computed or constant.

Along each dimension a place lies between elements that it is made of, the taps: each has a number and a weight. Rows of
channels are gathered for all combinations of taps, and their sum is weighted.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.compiler.frontend.scatter import times
from tinyc.ir import DType, Value
from tinyc.ir.loops import contiguous
from tinyc.ir.ops import Abs, Add, And, Clamp, Div, Equal, Floor, Gather, Less, Mul, Not, Round, Sub, Where

MODES = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "cubic": "cubic", "bicubic": "cubic"}
"""Modes by the names that they have had."""
PADDING = ("zeros", "border", "reflection")
CUBIC = -0.75
"""The coefficient of the cubic kernel."""


@dataclass(frozen=True)
class Tap:
    """Elements of one dimension for all places of the grid: their numbers, in int32, and what they count for; None for
    all of it."""

    number: Value
    weight: Value | None


@dataclass(frozen=True)
class _Axis:
    """A dimension of the image, and how places outside it are meant."""

    ctx: Context
    size: int
    align: bool
    padding: str

    def number(self, value: float, like: Value) -> Value:
        return self.ctx.scalar(value, like)

    def limits(self) -> tuple[float, float]:
        """Where reflection is."""
        return (0.0, self.size - 1.0) if self.align else (-0.5, self.size - 0.5)

    def places(self, grid: Value) -> Value:
        """Places from -1 to 1 in elements from the first."""
        emit, one, half = self.ctx.emit, self.number(1.0, grid), self.number(0.5, grid)
        moved = emit(Add(grid, one))
        if self.align:
            return emit(Mul(emit(Mul(moved, half)), self.number(self.size - 1.0, grid)))
        return emit(Mul(emit(Sub(emit(Mul(moved, self.number(self.size, grid))), one)), half))

    def inside(self, x: Value) -> Value:
        """Places outside reflected, where that is the padding. Beyond a border each tap is limited by itself, as
        onnxruntime does; ONNX's evaluator limits places first, which the cubic kernel tells apart."""
        return self.reflected(x) if self.padding == "reflection" else x

    def reflected(self, x: Value) -> Value:
        """Places reflected at both limits as often as it takes."""
        emit, (low, high) = self.ctx.emit, self.limits()
        if high == low:
            return emit(Clamp(x, low, high))
        span = self.number(high - low, x)
        far = emit(Abs(emit(Sub(x, self.number(low, x)))))
        times = emit(Floor(emit(Div(far, span))))
        rest = emit(Sub(far, emit(Mul(times, span))))
        halves = emit(Mul(times, self.number(0.5, x)))
        even = emit(Equal(emit(Floor(halves)), halves))
        there, back = emit(Add(self.number(low, x), rest)), emit(Sub(self.number(high, x), rest))
        return emit(Where(even, there, back))

    def tap(self, at: Value, weight: Value | None) -> Tap:
        """The tap of whole places, which count for nothing outside the image where the padding is zeros."""
        ctx = self.ctx
        if self.padding == "zeros":
            below = ctx.emit(Less(at, self.number(0.0, at)))
            within = ctx.emit(And(ctx.emit(Not(below)), ctx.emit(Less(at, self.number(self.size, at)))))
            counted = ctx.cast(within, at.dtype)
            weight = counted if weight is None else ctx.emit(Mul(weight, counted))
        elif self.padding == "reflection":
            at = self.reflected(at)
        limited = ctx.emit(Clamp(at, 0.0, self.size - 1.0))
        return Tap(ctx.cast(limited, DType.I32), weight)

    def taps(self, grid: Value, mode: str) -> list[Tap]:
        """All taps of the places of a grid."""
        emit = self.ctx.emit
        if mode == "nearest":
            return [self.tap(self.inside(emit(Round(self.places(grid)))), None)]
        x = self.inside(self.places(grid))
        first = emit(Floor(x))
        after = emit(Sub(x, first))
        before = emit(Sub(self.number(1.0, x), after))
        if mode == "linear":
            return [self.tap(first, before), self.tap(emit(Add(first, self.number(1.0, x))), after)]
        weights = [self.outer(after), self.inner(after), self.inner(before), self.outer(before)]
        ats = [emit(Add(first, self.number(k, x))) for k in (-1.0, 0.0, 1.0, 2.0)]
        return [self.tap(at, weight) for at, weight in zip(ats, weights, strict=True)]

    def inner(self, x: Value) -> Value:
        """The cubic kernel at a distance of 0 to 1."""
        emit = self.ctx.emit
        cube = emit(Sub(emit(Mul(x, self.number(CUBIC + 2, x))), self.number(CUBIC + 3, x)))
        return emit(Add(emit(Mul(emit(Mul(cube, x)), x)), self.number(1.0, x)))

    def outer(self, x: Value) -> Value:
        """The cubic kernel at a distance of 1 to 2, given 1 less."""
        emit = self.ctx.emit
        y = emit(Add(x, self.number(1.0, x)))
        first = emit(Sub(emit(Mul(y, self.number(CUBIC, x))), self.number(5 * CUBIC, x)))
        second = emit(Add(emit(Mul(first, y)), self.number(8 * CUBIC, x)))
        return emit(Sub(emit(Mul(second, y)), self.number(4 * CUBIC, x)))


@onnx_op("GridSample")
def grid_sample(ctx: Context, node: OnnxNode) -> Value:
    """Of images of any number of dimensions; the last number of the grid is the place along the first of these."""
    x, grid = node.operand(0), node.operand(1)
    mode = MODES[node.choice("mode", tuple(MODES), "linear")]
    padding = node.choice("padding_mode", PADDING, "zeros")
    shape, lead = x.shape[2:], grid.shape[:-1]
    fits = shape and grid.shape[-1:] == (len(shape),) and len(lead) == len(shape) + 1 and lead[0] == x.shape[0]
    if not fits or not x.type.size or not grid.type.size or not grid.dtype.is_float or not x.dtype.is_float:
        raise node.error(f"a grid {grid.type} does not name places in {x.type}, of floats")
    align = bool(node.integer("align_corners", 0))
    columns = [ctx.entry(grid, grid.type.rank - 1, len(shape) - 1 - k) for k in range(len(shape))]
    taps = [_Axis(ctx, n, align, padding).taps(c, mode) for n, c in zip(shape, columns, strict=True)]
    channels_last = ctx.transpose(x, (0, *range(2, x.type.rank), 1))
    rows = ctx.reshape(channels_last, (x.type.size // x.shape[1], x.shape[1]))
    batches = np.arange(x.shape[0]).reshape(-1, *(1,) * len(shape)) * math.prod(shape)
    start = ctx.constant(batches, "batches", np.int32) if x.shape[0] > 1 else None
    total: Value | None = None
    for combination in itertools.product(*taps):
        part = _weighted(ctx, rows, combination, shape, start)
        total = part if total is None else ctx.emit(Add(total, part))
    assert total is not None
    return ctx.transpose(total, (0, total.type.rank - 1, *range(1, total.type.rank - 1)))


def _weighted(ctx: Context, rows: Value, taps: tuple[Tap, ...], shape: tuple[int, ...], start: Value | None) -> Value:
    """The rows of one combination of taps, each times the product of their weights."""
    at, weight = start, None
    for tap, stride in zip(taps, contiguous(shape), strict=True):
        part = times(ctx, tap.number, stride)
        at = part if at is None else ctx.emit(Add(at, part))
        if tap.weight is not None:
            weight = tap.weight if weight is None else ctx.emit(Mul(weight, tap.weight))
    assert at is not None
    taken = ctx.emit(Gather(rows, at, 0))
    return taken if weight is None else ctx.emit(Mul(taken, ctx.reshape(weight, (*weight.shape, 1))))
