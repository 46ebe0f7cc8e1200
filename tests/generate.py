"""Random typed modules over all operators, for property tests.

`random_module(random.Random(seed))` or, with hypothesis, `random_module(draw(st.randoms()))`. One maker an operator
class, and motifs: the chains that real networks are made of and that passes look for. Makers pick operands from the
values there are, and make new ones where none fits. `smooth=True` leaves out what amplifies rounding (steps, poles,
quick growth), for passes that may round differently.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from random import Random

import numpy as np

from tests import generate_int8
from tinyc.ir import Builder, DType, IRError, Module, Op, TensorType, Value, registry
from tinyc.ir import ops as o
from tinyc.ir.op import fields_of
from tinyc.ir.ops.elementwise import Function, Unary
from tinyc.ir.tensor import Array

F32, BOOL = DType.F32, DType.BOOL
INTEGERS = (DType.I8, DType.U8, DType.I16, DType.I32, DType.I64)
LARGEST = 600
"""Elements of a value, at most."""


def random_array(random: Random, type: TensorType, calm: bool = False) -> Array:
    """An array with corners: zeros of both signs, small and, unless calm, large numbers; int8 is all there is."""
    rng = np.random.default_rng(random.getrandbits(32))
    if type.dtype is BOOL:
        return rng.random(type.shape) < 0.5
    if type.dtype is DType.I8:
        return rng.integers(-128, 128, type.shape).astype(np.int8)
    if type.dtype.is_integer:
        low = 0 if type.dtype is DType.U8 else -9
        return rng.integers(low, 10, type.shape).astype(type.dtype.numpy)
    array = rng.standard_normal(type.shape)
    corners = [0.0, -0.0, 1.0, -1.0, 0.5] if calm else [0.0, -0.0, 1.0, -1.0, 100.0, -1e4, 1e-30]
    picked = rng.random(type.shape) < 0.2
    return np.where(picked, rng.choice(corners, type.shape), array).astype(np.float32)


def random_inputs(random: Random, module: Module, calm: bool = False) -> list[Array]:
    """Arrays for a module's inputs."""
    return [random_array(random, v.type, calm) for v in module.inputs]


def random_module(random: Random, size: int = 10, smooth: bool = False) -> Module:
    """A module of about `size` operators with one to three outputs."""
    return Grower(random, smooth).grow(size)


class Grower:
    """A module under way, and the choices that makers share."""

    def __init__(self, random: Random, smooth: bool) -> None:
        self.random = random
        self.smooth = smooth
        self.builder = Builder("random")
        self.values: list[Value] = []

    def grow(self, size: int) -> Module:
        makers = [m for kind, m in MAKERS.items() if not (self.smooth and kind in ROUGH)]
        for _ in range(size):
            motif = self.random.random() < 0.25
            self.attempt(self.random.choice(MOTIFS if motif else makers))
        while not self.values:
            self.attempt(MAKERS[o.Reshape])
        picked = [self.values[-1], *self.random.sample(self.values, min(len(self.values), self.random.randrange(3)))]
        return self.builder.build(list(dict.fromkeys(picked)))

    def attempt(self, maker: Callable[[Grower], object]) -> None:
        """Runs a maker; what it chose may not fit together, and then nothing comes of it."""
        with suppress(IRError, GiveUp):
            maker(self)

    def add(self, op: Op) -> Value:
        if op.type.size > LARGEST or op.type.rank > 5:
            raise GiveUp
        value = self.builder.add(op, loc=f"node{self.random.randrange(30)}")
        self.values.append(value)
        return value

    def constant(self, shape: tuple[int, ...], dtype: DType = F32) -> Value:
        if self.random.random() < 0.2:
            fill = self.random.choice([0, 1, 2] if dtype is not BOOL else [0, 1])
            return self.builder.constant(np.full(shape, fill, dtype.numpy))
        return self.builder.constant(random_array(self.random, TensorType(shape, dtype), calm=True))

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def shape(self, low: int = 0, high: int = 5) -> tuple[int, ...]:
        rank = self.random.randint(low, high)
        return tuple(self.random.choice([1, 2, 3, 4, 5, 6] if rank < 4 else [1, 1, 2, 3]) for _ in range(rank))

    def dtype(self) -> DType:
        return F32 if self.chance(0.6) else self.random.choice([*INTEGERS, BOOL])

    def fresh(self, shape: tuple[int, ...], dtype: DType) -> Value:
        """A new input, or rarely a constant."""
        if self.chance(0.15):
            return self.constant(shape, dtype)
        return self.builder.input("x", TensorType(shape, dtype))

    def pick(self, fits: Callable[[Value], bool], shape: tuple[int, ...], dtype: DType) -> Value:
        """A value there is, the later the likelier, or a new one."""
        found = [v for v in self.values if fits(v)]
        if found and self.chance(0.85):
            return found[max(self.random.randrange(len(found)) for _ in range(2))]
        return self.fresh(shape, dtype)

    def numeric(self) -> Value:
        return self.pick(lambda v: v.dtype is not BOOL, self.shape(), self.random.choice([F32, F32, *INTEGERS]))

    def floating(self, rank: int = 0) -> Value:
        return self.pick(lambda v: v.dtype is F32 and v.type.rank >= rank, self.shape(rank), F32)

    def boolean(self) -> Value:
        return self.pick(lambda v: v.dtype is BOOL, self.shape(), BOOL)

    def anything(self, rank: int = 0) -> Value:
        return self.pick(lambda v: v.type.rank >= rank and v.type.size > 0, self.shape(rank), self.dtype())

    def image(self) -> Value:
        height, width, channels = (self.random.randint(1, n) for n in (6, 6, 4))
        shape = (self.random.choice([1, 1, 1, 2]), height, width, channels)
        return self.pick(lambda v: v.dtype is F32 and v.type.rank == 4, shape, F32)

    def partner(self, x: Value, dtype: DType | None = None) -> Value:
        """Something that broadcasts with a value."""
        dtype = dtype or x.dtype
        found = [v for v in self.values if v.dtype is dtype and _broadcast(v.shape, x.shape)]
        if found and self.chance(0.5):
            return self.random.choice(found)
        shape = x.shape
        kind = self.random.randrange(4)
        if kind == 0:
            shape = x.shape[-1:]
        elif kind == 1:
            shape = ()
        elif kind == 2:
            shape = tuple(1 if self.chance(0.5) else d for d in shape[self.random.randint(0, len(shape)) :])
        return self.constant(shape, dtype) if self.chance(0.7) else self.fresh(shape, dtype)

    def limits(self, dtype: DType = F32) -> dict[str, float]:
        low = self.random.choice([-math.inf, 0.0, 0.0 if dtype is DType.U8 else -1.0])
        high = self.random.choice([math.inf, 6.0, 0.5 if dtype is F32 else 1.0, 0.0])
        return {"min": low, "max": high}

    def pair(self, low: int, high: int) -> tuple[int, int]:
        return self.random.randint(low, high), self.random.randint(low, high)

    def geometry(self) -> dict[str, tuple[int, ...]]:
        pads = tuple(self.random.choice([0, 0, 1, 2]) for _ in range(4)) if self.chance(0.5) else (0, 0, 0, 0)
        dilations = self.pair(1, 2) if self.chance(0.2) else (1, 1)
        return {"strides": self.pair(1, 2), "pads": pads, "dilations": dilations}

    def weights(self, *shape: int) -> Value:
        return self.constant(shape) if self.chance(0.9) else self.fresh(shape, F32)

    def bias(self, channels: int) -> Value | None:
        return self.weights(channels) if self.chance(0.5) else None


class GiveUp(Exception):
    """What a maker chose makes too large a value, or one that a smooth module must not have."""


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    try:
        return math.prod(np.broadcast_shapes(a, b)) <= LARGEST
    except ValueError:
        return False


def _unary(kind: type[o.Elementwise], pick: Callable[[Grower], Value]) -> Callable[[Grower], Value]:
    return lambda g: g.add(kind(pick(g)))  # type: ignore[call-arg]


def _binary(kind: type[o.Elementwise], pick: Callable[[Grower], Value]) -> Callable[[Grower], Value]:
    def make(g: Grower) -> Value:
        x = pick(g)
        operands = [x, g.partner(x)]
        if g.chance(0.3):
            operands.reverse()
        return g.add(kind(*operands))

    return make


def _clamp(g: Grower) -> Value:
    x = g.numeric()
    return g.add(o.Clamp(x, **g.limits(x.dtype)))


def _cast(g: Grower) -> Value:
    x, to = g.anything(), g.dtype()
    if g.smooth and x.dtype is F32 and to is not F32:
        raise GiveUp
    return g.add(o.Cast(x, to))


def _where(g: Grower) -> Value:
    x = g.anything()
    return g.add(o.Where(g.partner(x, BOOL), x, g.partner(x)))


def _conv(g: Grower) -> Value:
    x = g.image()
    groups = g.random.choice([n for n in (1, 1, 2, 4) if x.shape[3] % n == 0])
    outputs = groups * g.random.randint(1, 3)
    w = g.weights(outputs, g.random.randint(1, 3), g.random.randint(1, 3), x.shape[3] // groups)
    value = g.random.choice([0.0, 0.0, 0.0, 1.5])
    limits = g.limits() if g.chance(0.2) else {}
    return g.add(o.Conv2d(x, w, g.bias(outputs), **g.geometry(), **limits, pad_value=value, groups=groups))  # type: ignore[arg-type]


def _depthwise(g: Grower) -> Value:
    x = g.image()
    outputs = x.shape[3] * g.random.choice([1, 1, 2])
    w = g.weights(g.random.randint(1, 3), g.random.randint(1, 3), outputs)
    limits = g.limits() if g.chance(0.2) else {}
    return g.add(o.DepthwiseConv2d(x, w, g.bias(outputs), **g.geometry(), **limits))  # type: ignore[arg-type]


def _dense(g: Grower) -> Value:
    x = g.floating(1)
    outputs = g.random.randint(1, 6)
    limits = g.limits() if g.chance(0.2) else {}
    return g.add(o.Dense(x, g.weights(outputs, x.shape[-1]), g.bias(outputs), **limits))


def _matmul(g: Grower) -> Value:
    x = g.pick(lambda v: v.dtype is not BOOL and v.type.rank >= 2, g.shape(2, 4), F32)
    lead = tuple(1 if g.chance(0.3) else d for d in x.shape[g.random.randint(0, x.type.rank - 2) : -2])
    shape = (*lead, x.shape[-1], g.random.randint(1, 5))
    if g.chance(0.5):
        return g.add(o.MatMul(x, g.constant(shape, x.dtype)))
    return g.add(o.MatMul(x, g.pick(lambda v: v.type == TensorType(shape, x.dtype), shape, x.dtype)))


def _reshape(g: Grower) -> Value:
    x = g.anything()
    shape = list(x.shape)
    for _ in range(g.random.randint(1, 3)):
        kind = g.random.randrange(4)
        if kind == 0 and len(shape) > 1:
            at = g.random.randrange(len(shape) - 1)
            shape[at : at + 2] = [shape[at] * shape[at + 1]]
        elif kind == 1 and shape:
            at = g.random.randrange(len(shape))
            factor = g.random.choice([f for f in range(1, shape[at] + 1) if shape[at] % f == 0])
            shape[at : at + 1] = [factor, shape[at] // factor]
        elif kind == 2:
            shape.insert(g.random.randint(0, len(shape)), 1)
        elif 1 in shape:
            shape.remove(1)
    return g.add(o.Reshape(x, tuple(shape)))


def _transpose(g: Grower) -> Value:
    x = g.anything(2)
    perm = list(range(x.type.rank))
    g.random.shuffle(perm)
    if x.type.rank == 4 and g.chance(0.7):
        perm = list(g.random.choice([TO_NHWC, TO_NCHW]))
    return g.add(o.Transpose(x, tuple(perm)))


def _broadcast_op(g: Grower) -> Value:
    x = g.anything()
    lead = tuple(g.random.randint(1, 3) for _ in range(g.random.randint(0, 2)))
    return g.add(o.Broadcast(x, lead + tuple(g.random.randint(1, 4) if d == 1 else d for d in x.shape)))


def _slice(g: Grower) -> Value:
    x = g.anything()
    start, size, step = [], [], []
    for d in x.shape:
        if g.chance(0.5):
            first, stride, count = 0, 1, d
        else:
            first, stride = g.random.randrange(d), g.random.choice([1, 1, 2, -1])
            room = first // -stride if stride < 0 else (d - 1 - first) // stride
            count = g.random.randint(1, room + 1)
        start.append(first)
        size.append(count)
        step.append(stride)
    return g.add(o.Slice(x, tuple(start), tuple(size), tuple(step)))


def _concat(g: Grower) -> Value:
    x = g.anything(1)
    axis = g.random.randrange(x.type.rank)
    xs = [x]
    for _ in range(g.random.randint(0, 2)):
        shape = tuple(g.random.randint(1, 3) if d == axis else n for d, n in enumerate(x.shape))

        def fits(v: Value) -> bool:
            cut = [v.shape[:axis] + v.shape[axis + 1 :], x.shape[:axis] + x.shape[axis + 1 :]]
            return v.dtype is x.dtype and v.type.rank == x.type.rank and cut[0] == cut[1]

        xs.append(g.pick(fits, shape, x.dtype))
    return g.add(o.Concat(tuple(xs), axis))


def _pad(g: Grower) -> Value:
    x = g.pick(lambda v: v.dtype is not BOOL, g.shape(), g.random.choice([F32, DType.I8]))
    before, after = (tuple(g.random.choice([0, 0, 1, 2]) for _ in x.shape) for _ in range(2))
    between = tuple(g.random.choice([0, 1]) for _ in x.shape) if g.chance(0.2) else ()
    value = g.random.choice([0.0, 0.0, 1.0] + ([-math.inf, -0.0, 0.1] if x.dtype is F32 and not g.smooth else []))
    return g.add(o.Pad(x, before, after, between, value))


def _gather(g: Grower) -> Value:
    x = g.anything(1)
    if g.chance(0.5):
        first, step = g.random.randint(-1, 3), g.random.choice([0, 1, 2, -1])
        indices = g.builder.constant(np.asarray([first + step * k for k in range(g.random.randint(1, 4))], np.int64))
    else:
        indices = g.pick(lambda v: v.dtype.is_integer and v.type.rank < 3, g.shape(0, 2), g.random.choice(INTEGERS))
    return g.add(o.Gather(x, indices, g.random.randrange(x.type.rank)))


def _batch_norm(g: Grower) -> Value:
    x = g.floating(1)
    channels = x.shape[-1]
    scale, bias, mean = (g.weights(channels) for _ in range(3))
    variance = np.abs(random_array(g.random, TensorType((channels,), F32), calm=True)) + np.float32(0.25)
    return g.add(o.BatchNorm(x, scale, bias, mean, g.builder.constant(variance)))


def _pool(kind: type[o.MaxPool2d] | type[o.AvgPool2d]) -> Callable[[Grower], Value]:
    def make(g: Grower) -> Value:
        extra = {"count_pads": g.chance(0.5)} if kind is o.AvgPool2d else {}
        return g.add(kind(g.image(), g.pair(1, 3), **g.geometry(), **extra))  # type: ignore[arg-type]

    return make


def _reduce(kind: type[o.Reduce]) -> Callable[[Grower], Value]:
    def make(g: Grower) -> Value:
        x = g.floating() if kind is o.ReduceMean else g.numeric()
        axes = tuple(d for d in range(x.type.rank) if g.chance(0.5))
        return g.add(kind(x, axes))

    return make


TO_NHWC, TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)

MAKERS: dict[type[Op], Callable[[Grower], object]] = {
    **{k: _unary(k, Grower.floating) for k in registry().values() if issubclass(k, Unary) and len(fields_of(k)) == 1},
    o.Constant: lambda g: g.values.append(g.constant(g.shape(), g.dtype())),
    o.Clamp: _clamp,
    o.Cast: _cast,
    o.Where: _where,
    o.Conv2d: _conv,
    o.DepthwiseConv2d: _depthwise,
    o.Dense: _dense,
    o.MatMul: _matmul,
    o.Reshape: _reshape,
    o.Transpose: _transpose,
    o.Broadcast: _broadcast_op,
    o.Slice: _slice,
    o.Concat: _concat,
    o.Pad: _pad,
    o.Gather: _gather,
    o.BatchNorm: _batch_norm,
    o.Softmax: lambda g: g.add(o.Softmax(g.floating(1))),
    o.LeakyRelu: lambda g: g.add(o.LeakyRelu(g.floating(), alpha=g.random.choice([0.1, 0.25, 0.0]))),
    **{k: _pool(k) for k in (o.MaxPool2d, o.AvgPool2d)},
    **{k: _reduce(k) for k in (o.ReduceSum, o.ReduceMean, o.ReduceMax, o.ReduceMin, o.ReduceProd)},
    **{k: _unary(k, Grower.numeric) for k in (o.Neg, o.Abs, o.Copy)},
    o.Not: _unary(o.Not, Grower.boolean),
    **{k: _binary(k, Grower.numeric) for k in (o.Add, o.Sub, o.Mul, o.Div, o.Maximum, o.Minimum, o.Less)},
    o.Pow: _binary(o.Pow, Grower.floating),
    o.Equal: _binary(o.Equal, Grower.anything),
    **{k: _binary(k, Grower.boolean) for k in (o.And, o.Or)},
    **generate_int8.MAKERS,
}

SMOOTH = frozenset({o.Asinh, o.Atan, o.Cos, o.Erf, o.Sin, o.Tanh})
"""Functions that grow no faster than their operands."""
ROUGH = frozenset({o.Round, o.Less, o.Equal, o.Div, o.Pow, o.ReduceProd, o.Gather}) | {
    k for k in registry().values() if issubclass(k, Function) and k not in SMOOTH
}
"""Steps and poles, and what grows quickly."""


def _channelwise(g: Grower, x: Value) -> Value:
    """Batch norm as one operator or as two, or an activation."""
    channels = x.shape[-1]
    kind = g.random.randrange(4)
    if kind == 0:
        x = g.add(o.Mul(x, g.constant((channels,))))
        return g.add(o.Add(x, g.constant((channels,))))
    if kind == 1:
        return g.add(o.Clamp(x, **g.limits()))
    if kind == 2:
        variance = np.abs(random_array(g.random, TensorType((channels,), F32), calm=True)) + np.float32(0.25)
        scale, bias, mean = (g.constant((channels,)) for _ in range(3))
        return g.add(o.BatchNorm(x, scale, bias, mean, g.builder.constant(variance)))
    value = g.random.choice([0.0, 0.0, 1.0])
    (top, left), (bottom, right) = g.pair(0, 1), g.pair(0, 1)
    return g.add(o.Pad(x, (0, top, left, 0), (0, bottom, right, 0), (), value))


def _chain(g: Grower) -> None:
    """conv -> batch norm, activation, pad, ... -> conv or pool."""
    x = _conv(g) if g.chance(0.7) else _depthwise(g)
    for _ in range(g.random.randint(1, 4)):
        x = _channelwise(g, x)
    g.random.choice([_conv, _depthwise, MAKERS[o.MaxPool2d], MAKERS[o.AvgPool2d]])(g)


def _nchw(g: Grower) -> None:
    """A channel-first convolution and what follows it, as the frontend writes them."""
    x = g.pick(lambda v: v.dtype is F32 and v.type.rank == 4, (1, g.random.randint(1, 4), *g.pair(1, 5)), F32)
    nhwc = g.add(o.Transpose(x, TO_NHWC))
    w = g.constant((g.random.randint(1, 4), 1, 1, nhwc.shape[3]))
    y = g.add(o.Transpose(g.add(o.Conv2d(nhwc, w)), TO_NCHW))
    kind = g.random.randrange(4)
    if kind == 0:
        y = g.add(o.Clamp(y, **g.limits()))
    elif kind == 1:
        y = g.add(o.Add(y, g.constant((y.shape[1], 1, 1)) if g.chance(0.5) else g.partner(y)))
    elif kind == 2:
        y = g.add(o.Reshape(y, (y.shape[0], y.type.size // y.shape[0])))
        g.add(o.Dense(y, g.constant((3, y.shape[1]))))
    else:
        y = g.add(o.Concat((y, g.add(o.Tanh(y))), 1))


def _repeat(g: Grower) -> None:
    """A copy of an operator there is, and a value that two operators read."""
    x = g.floating()
    g.add(o.Add(g.add(o.Tanh(x)), g.add(o.Tanh(x))))


MOTIFS: list[Callable[[Grower], object]] = [_chain, _nchw, _repeat, generate_int8.chain]
