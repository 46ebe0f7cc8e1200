"""Random integer operators, with the corners of their arithmetic: for the C of each, and for graphs of many."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tinyc.ir import Builder, DType, IRError, Op, TensorType, Value, fixed_point, ops
from tinyc.ir.ops import qdiv, qelementwise, qnormalise, qprelu
from tinyc.ir.tensor import Array

Shape = tuple[int, ...]
INT32_MAX = 2**31 - 1

CORNERS = ("ordinary", "once", "once, large", "dead", "far right", "left", "full bias", "round", "mixed")
"""How the factors and biases of a layer are chosen: see `factors`."""


def int8(rng: np.random.Generator, shape: Shape) -> Array:
    """Random elements of the whole range, its ends often among them."""
    x = rng.integers(-128, 128, shape, dtype=np.int8)
    return np.where(rng.random(shape) < 0.1, rng.choice(np.array([-128, 127, 0], np.int8), shape), x)


def zero_point(rng: np.random.Generator) -> int:
    return int(rng.choice([-128, 127, 0])) if rng.random() < 0.4 else int(rng.integers(-60, 60))


def limits(rng: np.random.Generator, zero: int | None = None) -> dict[str, int]:
    """Limits of an activation: none, those of a relu, or any."""
    low, high = sorted(int(v) for v in rng.integers(-128, 128, 2))
    relu = {} if zero is None else {"min": zero}
    return [{}, {}, relu, relu, {"min": low, "max": high}, {"max": high}][rng.integers(6)]


def scalar_factor(rng: np.random.Generator, bound: int, left: bool) -> tuple[int, int]:
    """A multiplier and shift for sums of at most `bound`: mostly one that spreads them over int8."""
    kind = rng.integers(8)
    if kind == 0:
        return int(rng.choice([0, 1, 2**30, INT32_MAX])), int(rng.integers(-31, 1))
    if kind == 1 and left:
        most = min(30, ((INT32_MAX - 128) // max(bound, 1)).bit_length() - 1)
        return int(rng.integers(0, 2**31)), int(rng.integers(0, most + 1))
    multiplier, shift = fixed_point.to_multiplier(min(128 / bound * 2.0 ** rng.uniform(-1, 3), 0.9))
    return multiplier, shift


def factors(rng: np.random.Generator, corner: str, bound: Array, terms: int) -> tuple[Array, Array, Array]:
    """Bias, multiplier and shift of a layer whose sums without bias have these bounds. What is shifted left never
    overflows, but nearly."""
    count = bound.size
    if corner == "mixed":
        parts = [factors(rng, str(rng.choice(CORNERS[:-1])), bound[k : k + 1], terms) for k in range(count)]
        return tuple(np.concatenate(p) for p in zip(*parts, strict=True))  # type: ignore[return-value]
    # Sums of random products are of the order of 74 * 74 * sqrt(terms).
    spread = 128 / (5476 * terms**0.5) * 2.0 ** rng.uniform(-2, 2, count)
    pairs = np.array([fixed_point.to_multiplier(f) for f in spread], np.int64)
    multiplier, shift = pairs[:, 0], pairs[:, 1]
    room = (INT32_MAX - 128) - bound
    bias = np.minimum(rng.integers(-20000, 20000, count), room)
    if corner == "once":
        # Rounded once: shifts of 0, and multipliers up to the largest of that form.
        multiplier, shift = np.minimum(spread * 2.0**31, 2**29 - 1).astype(np.int64), np.zeros(count, np.int64)
        multiplier = np.where(rng.random(count) < 0.2, rng.choice([0, 1, 2**29 - 1], count), multiplier)
        bias = np.where(rng.random(count) < 0.1, room * rng.choice([-1, 1], count), bias)
    elif corner == "once, large":
        # The same up to all multipliers of shift 0, for sums that can be four times as large.
        multiplier, shift = np.minimum(spread * 2.0**33, 2**31 - 1).astype(np.int64), np.zeros(count, np.int64)
        multiplier = np.where(rng.random(count) < 0.2, rng.choice([2**29, 2**31 - 1], count), multiplier)
        room = (2**29 - 1) - bound
        bias = np.where(rng.random(count) < 0.1, room * rng.choice([-1, 1], count), bias)
    elif corner == "dead":
        multiplier, shift = (np.where(rng.random(count) < 0.5, 0, v) for v in (multiplier, shift))
    elif corner == "far right":
        shift = rng.integers(-31, -15, count)
        bias = rng.integers(-1, 2, count) * (2 ** rng.integers(16, 31, count) - bound)
        bias = np.clip(bias, -room, room)
    elif corner == "left":
        most = np.array([min(30, 30 - int(b).bit_length()) for b in bound])
        shift = (rng.random(count) * (most + 1)).astype(np.int64)
        room = ((INT32_MAX - 128) >> shift) - bound
        bias = np.where(rng.random(count) < 0.5, room, -bound // 2)
    elif corner == "full bias":
        shift = rng.integers(-31, -20, count)
        bias = room * rng.choice([-1, 1], count)
    elif corner == "round":
        # Powers of two give exact halves, where the direction of rounding shows.
        multiplier, shift = np.full(count, 2**30), rng.integers(-12, 1, count)
    return tuple(v.astype(np.int32) for v in (bias, multiplier, shift))  # type: ignore[return-value]


@dataclass
class Maker:
    """Adds operators to a module and keeps the arrays of its inputs. Raises `IRError` for what does not fit."""

    rng: np.random.Generator
    builder: Builder = field(default_factory=lambda: Builder("quantised"))
    arrays: list[Array] = field(default_factory=list)

    def input(self, shape: Shape) -> Value:
        self.arrays.append(int8(self.rng, shape))
        return self.builder.input("x", TensorType(shape, DType.I8))

    def add(self, op: Op) -> Value:
        return self.builder.add(op, loc=op.mnemonic)

    def layer(self, weights: Array, axis: int, corner: str | None) -> list[Value]:
        """Constants from the weights to the shifts."""
        corner = corner or str(self.rng.choice(CORNERS) if self.rng.random() < 0.5 else "ordinary")
        if corner == "left":
            # Only small sums leave room for a left shift.
            weights = np.clip(weights, -1, 1)
        bound = fixed_point.accumulator_bound(weights, np.zeros(weights.shape[axis], np.int32), axis)
        terms = weights.size // weights.shape[axis]
        return [self.builder.constant(a) for a in (weights, *factors(self.rng, corner, bound, terms))]

    def geometry(self, kernel: tuple[int, int]) -> dict[str, tuple[int, ...]]:
        rng = self.rng
        dilations = tuple(int(d) for d in rng.choice([1, 1, 1, 2, 3], 2))
        reach = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)] * 2
        pads = tuple(int(rng.integers(0, max(1, r) + 1)) for r in reach) if rng.random() < 0.7 else (0, 0, 0, 0)
        return {"strides": tuple(int(s) for s in rng.choice([1, 1, 2, 3], 2)), "pads": pads, "dilations": dilations}

    def kernel(self) -> tuple[int, int]:
        return ((3, 3), (3, 3), (1, 1), (2, 3), (5, 5), (1, 3), (3, 1), (4, 2))[self.rng.integers(8)]

    def out(self) -> dict[str, int]:
        """Zero point and limits of a layer's result."""
        zero = zero_point(self.rng)
        return {"out_zero": zero, **limits(self.rng, zero)}

    def conv(self, x: Value, corner: str | None = None, **fixed: object) -> Value:
        rng, channels = self.rng, x.shape[3]
        kernel = fixed.pop("kernel", None) or self.kernel()
        groups = int(rng.choice([g for g in range(1, channels + 1) if channels % g == 0])) if rng.random() < 0.4 else 1
        groups = int(fixed.pop("groups", groups))  # type: ignore[call-overload]
        outputs = int(fixed.pop("outputs", groups * int(rng.integers(1, max(2, 10 // groups)))))  # type: ignore[call-overload]
        w = int8(rng, (outputs, *kernel, channels // groups))  # type: ignore[misc]
        attributes = {"groups": groups, "zero": zero_point(rng), **self.out(), **self.geometry(kernel), **fixed}  # type: ignore[arg-type]
        return self.add(ops.QConv2d(x, *self.layer(w, 0, corner), **attributes))

    def pointwise(self, x: Value) -> Value:
        return self.conv(x, kernel=(1, 1), groups=1, strides=(1, 1), pads=(0, 0, 0, 0))

    def depthwise(self, x: Value, corner: str | None = None, **fixed: object) -> Value:
        kernel = fixed.pop("kernel", None) or self.kernel()
        each = int(fixed.pop("each", self.rng.choice([1, 1, 1, 2, 3])))  # type: ignore[call-overload]
        w = int8(self.rng, (*kernel, x.shape[3] * each))  # type: ignore[misc]
        attributes = {"zero": zero_point(self.rng), **self.out(), **self.geometry(kernel), **fixed}  # type: ignore[arg-type]
        return self.add(ops.QDepthwiseConv2d(x, *self.layer(w, 2, corner), **attributes))

    def depthwise3x3(self, x: Value, corner: str | None = None) -> Value:
        stride = int(self.rng.integers(1, 3))
        left = int(self.rng.integers(0, 4 - stride))
        pads = (*(int(p) for p in self.rng.integers(0, 3, 1)), left, *(int(p) for p in self.rng.integers(0, 3, 2)))
        strides = (int(self.rng.integers(1, 3)), stride)
        return self.depthwise(x, corner, kernel=(3, 3), each=1, strides=strides, pads=pads, dilations=(1, 1))

    def dense(self, x: Value, corner: str | None = None, outputs: int | None = None) -> Value:
        w = int8(self.rng, (outputs or int(self.rng.integers(1, 12)), x.shape[-1]))
        return self.add(ops.QDense(x, *self.layer(w, 0, corner), **self.out()))

    def sum(self, x: Value, y: Value) -> Value:
        if self.rng.random() < 0.5:
            return self.whole_sum(x, y)
        left = int(self.rng.choice([20, 20, 0, 22, int(self.rng.integers(0, 23))]))
        (xm, xs), (ym, ys) = (self.input_factor() for _ in range(2))
        om, os = scalar_factor(self.rng, 510 << left, left=False)
        zeros = (zero_point(self.rng), zero_point(self.rng))
        return self.add(ops.QAdd(x, y, *zeros, xm, ym, xs, ys, om, os, left, **self.out()))

    def whole_sum(self, x: Value, y: Value) -> Value:
        """By whole factors, mostly such that the sum spreads over int8."""
        zeros = (zero_point(self.rng), zero_point(self.rng))
        factors = 2.0 ** self.rng.uniform(-9, 1, 2) * self.rng.choice([1.0, 1.0, 1.0, 24.0])
        found = fixed_point.whole_factors(*(float(f) for f in factors))
        assert found is not None
        op = ops.QAdd(x, y, *zeros, **qelementwise.whole_sum(*found), **self.out())
        assert op.whole() is not None
        return self.add(op)

    def input_factor(self) -> tuple[int, int]:
        """How much an operand of a sum counts: at most all, mostly much."""
        if self.rng.random() < 0.2:
            return int(self.rng.choice([0, 2**30, INT32_MAX])), int(self.rng.integers(-31, 1))
        return fixed_point.to_multiplier(float(self.rng.uniform(0.05, 0.999)))

    def product(self, x: Value, y: Value) -> Value:
        multiplier, shift = scalar_factor(self.rng, 255 * 255, left=True)
        zeros = (zero_point(self.rng), zero_point(self.rng))
        return self.add(ops.QMul(x, y, *zeros, multiplier, shift, **self.out()))

    def quotient(self, x: Value, y: Value) -> Value:
        places = int(self.rng.integers(qdiv.LEAST_PLACES, qdiv.MOST_PLACES + 1))
        factor = int(self.rng.integers(0, min(qdiv.MOST, 2 ** (places + 7)) + 1))
        zeros = (zero_point(self.rng), zero_point(self.rng))
        return self.add(ops.QDiv(x, y, *zeros, factor, places, **self.out()))

    def matrix(self, x: Value, y: Value) -> Value:
        """x by y with its last two dimensions the other way around."""
        swapped = self.add(ops.Transpose(y, (*range(y.type.rank - 2), y.type.rank - 1, y.type.rank - 2)))
        multiplier, shift = scalar_factor(self.rng, 255 * 255 * x.shape[-1], left=True)
        zeros = (zero_point(self.rng), zero_point(self.rng))
        return self.add(ops.QMatMul(x, swapped, *zeros, multiplier, shift, **self.out()))

    def mean(self, x: Value) -> Value:
        multiplier, shift = scalar_factor(self.rng, 255 * x.shape[1] * x.shape[2], left=True)
        return self.add(ops.QMean(x, zero_point(self.rng), multiplier, shift, **self.out()))

    def total(self, x: Value) -> Value:
        rank = x.type.rank
        first = int(self.rng.integers(0, rank))
        axes = tuple(range(first, int(self.rng.integers(first + 1, rank + 1))))
        multiplier, shift = scalar_factor(self.rng, 255 * int(np.prod([x.shape[a] for a in axes])), left=True)
        return self.add(ops.QSum(x, axes, zero_point(self.rng), multiplier, shift, **self.out()))

    def running_total(self, x: Value) -> Value:
        """Sums along any dimension, of either kind and direction."""
        axis = int(self.rng.integers(0, x.type.rank))
        multiplier, shift = scalar_factor(self.rng, 255 * x.shape[axis], left=True)
        exclusive, reverse = (bool(self.rng.random() < 0.3) for _ in range(2))
        zero = zero_point(self.rng)
        return self.add(ops.QCumSum(x, axis, zero, multiplier, shift, exclusive, reverse, **self.out()))

    def norm(self, x: Value) -> Value:
        """With factors that spread the result over int8, of all elements or of some of their dimensions."""
        rng, rank, form = self.rng, x.type.rank, qnormalise.NARROW
        first = int(rng.integers(0, rank))
        last = int(rng.integers(first, rank))
        full = rng.random(3) < 0.5
        shape = tuple(n if full[(d >= first) + (d > last)] else 1 for d, n in enumerate(x.shape))
        g = rng.integers(-form.factor, form.factor + 1, shape).astype(np.int16)
        reach = int(rng.choice([1, 2**24, form.offset]))
        b = rng.integers(-reach, reach + 1, shape).astype(np.int32)
        epsilon = int(rng.choice([0, 1, 2**20, qnormalise.EPSILON_MOST]))
        factor = fixed_point.to_multiplier(float(2.0 ** rng.uniform(-22, -16)))
        constants = self.builder.constant(g), self.builder.constant(b)
        axes = tuple(range(first, last + 1))
        centred = bool(rng.random() < 0.7)
        return self.add(ops.QNorm(x, *constants, axes, zero_point(rng), epsilon, centred, *factor, **self.out()))

    def prelu(self, x: Value) -> Value:
        rng, most = self.rng, qprelu.STEEPEST
        below = self.builder.constant(rng.integers(-most, most + 1, x.shape[-1]).astype(np.int16))
        factor = scalar_factor(rng, 255 * 2**15, left=True)
        return self.add(ops.QPRelu(x, below, zero_point(rng), int(rng.integers(0, most + 1)), *factor, **self.out()))

    def pool(self, x: Value, **fixed: object) -> Value:
        kernel = fixed.pop("kernel", None) or self.kernel()
        attributes = {**self.geometry(kernel), **limits(self.rng), **fixed}  # type: ignore[arg-type]
        return self.add(ops.QAvgPool2d(x, kernel, **attributes))

    def largest(self, x: Value) -> Value:
        kernel = self.kernel()
        return self.add(ops.MaxPool2d(x, kernel, **self.geometry(kernel)))

    def lookup(self, x: Value) -> Value:
        return self.add(ops.Lookup(x, self.builder.constant(int8(self.rng, (256,)))))

    def softmax(self, x: Value) -> Value:
        scale = float(self.rng.choice([2.0 ** self.rng.uniform(-9, 3), 2.0 ** self.rng.uniform(-30, 9)]))
        return self.add(ops.QSoftmax(x, *fixed_point.softmax_scaling(scale)))

    def flat(self, x: Value) -> Value:
        return self.add(ops.Reshape(x, (x.shape[0], x.type.size // x.shape[0])))

    def joined(self, x: Value, y: Value) -> Value:
        return self.add(ops.Concat((x, y), x.type.rank - 1))


WHOLE = ("dense", "lookup", "softmax", "flat", "total", "running_total", "norm", "prelu")
UNARY = (*WHOLE, "conv", "pointwise", "depthwise", "depthwise3x3", "mean", "pool", "largest")
BINARY = ("sum", "product", "quotient", "matrix", "joined")


def grow(maker: Maker, size: int) -> list[Value]:
    """A random graph of `size` operators, or a few more, from an input of its own; the input and their results."""
    rng = maker.rng
    shape = tuple(int(n) for n in (1, *rng.integers(1, 8, 3)))
    if rng.random() < 0.1:
        shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 4)))
    values = [maker.input(shape)]
    attempts = 0
    while len(values) <= size:
        attempts += 1
        kind = str(rng.choice(UNARY + BINARY))
        x = values[-1] if rng.random() < 0.8 else values[int(rng.integers(len(values)))]
        try:
            if kind in BINARY:
                values.append(getattr(maker, kind)(x, _partner(maker, values, x, kind)))
            elif x.type.rank == 4 or kind in WHOLE:
                values.append(getattr(maker, kind)(x))
        except IRError:
            # What was chosen does not fit. Without an end there would be graphs that nothing fits.
            assert attempts < 1000
    return values


def _partner(maker: Maker, values: list[Value], x: Value, kind: str) -> Value:
    """A second operand: a value of the type of x, or the mean of x as a factor for each channel, or x itself."""
    same = [v for v in values if v.type == x.type and v is not x]
    if kind in ("product", "quotient") and x.type.rank == 4 and (not same or maker.rng.random() < 0.5):
        return maker.mean(x)
    if not same and maker.rng.random() < 0.7:
        return maker.lookup(x)
    return same[int(maker.rng.integers(len(same)))] if same else x
