"""Random networks whose operators fall into rows, float and int8: for tests of what advances row by row.

`random_network(seed, dtype)` gives a module and its inputs. A network is a chain of blocks (layers, pooling,
elementwise functions, residuals, branches that join, shortcuts of stride 2, views) with a tail, of odd and small sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.c.quantised import Maker, Shape
from tinyc.ir import Builder, DType, IRError, Module, TensorType, Value, ops
from tinyc.ir.rows import RowProgram, row_count
from tinyc.ir.tensor import Array
from tinyc.passes.rows.lower import InputPlace, Lower, OutputPlace
from tinyc.passes.rows.order import OrderStages
from tinyc.passes.rows.share import ShareBuffers

F32, I8 = DType.F32, DType.I8
LARGEST = 4000
"""Elements of a value, at most."""
PLACES: tuple[InputPlace, ...] = ("argument", "arena", "rows")


class Integers(Maker):
    """int8 operators, the most of which spread their results over int8: an error before them stays visible."""

    def out(self) -> dict[str, int]:
        return super().out() if self.rng.random() < 0.2 else {"out_zero": int(self.rng.integers(-9, 10))}

    def layer(self, weights: Array, axis: int, corner: str | None) -> list[Value]:
        return super().layer(weights, axis, corner or ("ordinary" if self.rng.random() < 0.9 else None))

    def pool(self, x: Value, **fixed: object) -> Value:
        free = {} if self.rng.random() < 0.2 else {"min": -128, "max": 127}
        return super().pool(x, **{**free, **fixed})


@dataclass
class Floats(Maker):
    """The same operators in float."""

    builder: Builder = field(default_factory=lambda: Builder("floats"))

    def input(self, shape: Shape) -> Value:
        self.arrays.append(self.normal(shape))
        return self.builder.input("x", TensorType(shape, F32))

    def normal(self, shape: Shape, terms: int = 1) -> Array:
        """Numbers that, so many times numbers of order one summed, give one of order one."""
        return np.asarray(self.rng.standard_normal(shape) / terms**0.5, np.float32)

    def weights(self, shape: Shape, terms: int, outputs: int) -> tuple[Value, Value | None]:
        """Weights and, at times, a bias."""
        bias = self.builder.constant(self.normal((outputs,))) if self.rng.random() < 0.7 else None
        return self.builder.constant(self.normal(shape, terms)), bias

    def activation(self) -> dict[str, float]:
        """Limits, mostly wide ones: what saturates hides errors."""
        return [{}, {}, {"min": -0.5, "max": 6.0}, {"min": 0.0}][self.rng.integers(4)]

    def conv(self, x: Value, corner: str | None = None, **fixed: Any) -> Value:
        rng, channels = self.rng, x.shape[3]
        kernel = fixed.pop("kernel", None) or self.kernel()
        groups = int(rng.choice([g for g in range(1, channels + 1) if channels % g == 0])) if rng.random() < 0.3 else 1
        groups = fixed.pop("groups", groups)
        outputs = fixed.pop("outputs", groups * int(rng.integers(1, max(2, 10 // groups))))
        shape = (outputs, *kernel, channels // groups)
        w, b = self.weights(shape, int(np.prod(shape[1:])), outputs)
        value = 0.0 if rng.random() < 0.8 else 1.5
        attributes = {"groups": groups, "pad_value": value, **self.activation(), **self.geometry(kernel), **fixed}
        return self.add(ops.Conv2d(x, w, b, **attributes))

    def depthwise(self, x: Value, corner: str | None = None, **fixed: Any) -> Value:
        kernel = fixed.pop("kernel", None) or self.kernel()
        each = fixed.pop("each", int(self.rng.choice([1, 1, 1, 2, 3])))
        w, b = self.weights((*kernel, x.shape[3] * each), kernel[0] * kernel[1], x.shape[3] * each)
        attributes: dict[str, Any] = {**self.activation(), **self.geometry(kernel), **fixed}
        return self.add(ops.DepthwiseConv2d(x, w, b, **attributes))

    def dense(self, x: Value, corner: str | None = None, outputs: int | None = None) -> Value:
        count = outputs or int(self.rng.integers(1, 10))
        w, b = self.weights((count, x.shape[-1]), x.shape[-1], count)
        return self.add(ops.Dense(x, w, b, **self.activation()))

    def sum(self, x: Value, y: Value) -> Value:
        kind = (ops.Add, ops.Sub, ops.Maximum)[self.rng.integers(3)]
        return self.add(kind(x, y))

    def product(self, x: Value, y: Value) -> Value:
        return self.add(ops.Mul(x, y))

    def mean(self, x: Value) -> Value:
        height, width = x.shape[1:3]
        return self.add(ops.AvgPool2d(x, (height, width)))

    def pool(self, x: Value, **fixed: Any) -> Value:
        kernel = fixed.pop("kernel", None) or self.kernel()
        attributes = {**self.geometry(kernel), "count_pads": bool(self.rng.integers(2)), **fixed}
        return self.add(ops.AvgPool2d(x, kernel, **attributes))

    def lookup(self, x: Value) -> Value:
        kind = int(self.rng.integers(4))
        if kind == 0:
            return self.add(ops.Clamp(x, -1.5, 2.0))
        if kind == 1:
            return self.add(ops.LeakyRelu(x, 0.25))
        if kind == 2:
            return self.add(ops.Mul(x, self.builder.constant(self.normal(x.shape[-1:]))))
        return self.add(ops.Tanh(x))

    def softmax(self, x: Value) -> Value:
        return self.add(ops.Softmax(x))


def pointwise(maker: Maker, x: Value, outputs: int = 0) -> Value:
    """A 1x1 convolution; with 0 of some outputs."""
    chosen = outputs or int(maker.rng.integers(1, 10))
    plain: dict[str, Any] = {"groups": 1, "strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1)}
    return maker.conv(x, kernel=(1, 1), outputs=chosen, **plain)


@dataclass(frozen=True)
class Network:
    """A module and an array for each of its inputs."""

    module: Module
    arrays: Sequence[Array]


def lowered(module: Module, place: InputPlace = "argument", outputs: OutputPlace = "argument") -> RowProgram:
    """The program before its rows are scheduled."""
    return ShareBuffers().run(OrderStages().run(Lower(place, outputs=outputs).run(module)))


def with_images(network: Network, seed: int, most: int = 3) -> Network:
    """The network with some more outputs: images of those that it computes, at times one of them twice, or its input.
    The same network where it has none."""
    rng, module = np.random.default_rng(seed), network.module
    images = [v for v in (*(n.result for n in module.nodes if n.op.constant() is None), *module.inputs) if is_image(v)]
    picked = [images[int(rng.integers(len(images)))] for _ in range(int(rng.integers(1, most + 1)))] if images else []
    return Network(Module(module.name, module.inputs, module.nodes, (*module.outputs, *picked)), network.arrays)


def is_image(value: Value) -> bool:
    """Whether a value has several rows."""
    return row_count(value) > 1


def random_network(seed: int, dtype: DType = I8, count: int = 1) -> Network:
    """A network of some blocks and a tail, with one input and one or two outputs; or several side by side."""
    maker = maker_of(seed, dtype)
    outputs = [value for _ in range(count) for value in _grow(maker)]
    return Network(maker.builder.build(outputs), maker.arrays)


def maker_of(seed: int, dtype: DType) -> Maker:
    """Makes operators of that element type."""
    rng = np.random.default_rng(seed)
    return Integers(rng) if dtype is I8 else Floats(rng)


def _grow(maker: Maker) -> list[Value]:
    """Adds a network; its outputs."""
    rng, grower = maker.rng, Blocks(maker)
    x = start = maker.input((1, *_size(rng)))
    for _ in range(int(rng.integers(1, 6))):
        x = grower.block(x)
    outputs = [_tail(maker, x)]
    if rng.random() < 0.2 and x not in outputs:
        outputs.append(x)
    return [maker.lookup(start)] if outputs == [start] else outputs


def _size(rng: np.random.Generator) -> Shape:
    """Height, width and channels, now and then one row or one column."""
    height, width, channels = (int(rng.integers(1, most + 1)) for most in (20, 12, 9))
    kind = int(rng.integers(8))
    odd = ((1, width, channels), (height, 1, channels), (height, width, 1))
    return odd[kind] if kind < 3 else (height, width, channels)


class Blocks:
    """Blocks of a network: each takes an image and gives one."""

    def __init__(self, maker: Maker) -> None:
        self.maker, self.rng = maker, maker.rng

    def block(self, x: Value) -> Value:
        """A block that fits; x itself where none of some does."""
        simple = (self.layer, self.layer, self.layer, self.separable, self.separable)
        joined = (self.residual, self.residual, self.branches, self.shortcut, self.excite)
        for _ in range(8):
            made = self._try((*simple, *joined, self.view, self.rows)[self.rng.integers(12)], x)
            if made is not None:
                return made
        return x

    def _try(self, make: Callable[[Value], Value], x: Value) -> Value | None:
        """What a maker gives, unless that does not fit together or is too large. What it left half done, nothing reads:
        an unused stage of the network, as careless exporters leave them too."""
        try:
            made = make(x)
        except IRError:
            return None
        return made if 0 < made.type.size <= LARGEST else None

    def layer(self, x: Value) -> Value:
        """One operator."""
        m = self.maker
        kinds: list[Callable[[Value], Value]] = [self.conv, self.conv, m.depthwise, m.depthwise3x3, m.depthwise3x3]
        kinds += [self.pointwise, self.pointwise, m.pool, m.largest, m.lookup, m.dense]
        return kinds[self.rng.integers(len(kinds))](x)

    def pointwise(self, x: Value) -> Value:
        """A 1x1 convolution."""
        return pointwise(self.maker, x)

    def conv(self, x: Value) -> Value:
        """A convolution with a window up to 5x5."""
        kernel = (int(self.rng.integers(1, 6)), int(self.rng.integers(1, 6)))
        return self.maker.conv(x, kernel=kernel)

    def separable(self, x: Value) -> Value:
        """Pointwise, depthwise 3x3, pointwise: what a ring can be shared in."""
        wide = pointwise(self.maker, x, int(self.rng.integers(2, 13)))
        narrow = self.maker.depthwise3x3(wide) if self.rng.random() < 0.8 else self.same(wide)
        return pointwise(self.maker, narrow)

    def same(self, x: Value) -> Value:
        """A result of the type of x."""
        m, kind = self.maker, int(self.rng.integers(4))
        geometry: dict[str, Any] = {"strides": (1, 1), "pads": (1, 1, 1, 1), "dilations": (1, 1)}
        if kind == 0:
            return m.conv(x, kernel=(3, 3), groups=1, outputs=x.shape[3], **geometry)
        if kind == 1:
            return m.depthwise(x, kernel=(3, 3), each=1, **geometry)
        if kind == 2:
            return m.conv(x, kernel=(5, 2), groups=1, outputs=x.shape[3], **{**geometry, "pads": (3, 0, 1, 1)})
        return m.lookup(x)

    def residual(self, x: Value) -> Value:
        """x and what one or two layers make of it."""
        y = self.same(x)
        return self.join(x, self.same(y) if self.rng.random() < 0.5 else y)

    def branches(self, x: Value) -> Value:
        """Two ways that begin and end together."""
        y = self.same(x)
        return self.join(self.same(self.same(x)) if self.rng.random() < 0.5 else self.same(x), y)

    def join(self, x: Value, y: Value) -> Value:
        """Sum, product or concatenation."""
        m = self.maker
        joins: list[Callable[[Value, Value], Value]] = [m.sum, m.sum, m.product, m.joined]
        return joins[self.rng.integers(4)](x, y)

    def shortcut(self, x: Value) -> Value:
        """Two ways of stride 2 that are added, one of which has a window of one pixel."""
        m, outputs = self.maker, int(self.rng.integers(1, 7))
        fixed: dict[str, Any] = {"groups": 1, "strides": (2, 2), "dilations": (1, 1), "outputs": outputs}
        short = m.conv(x, kernel=(1, 1), pads=(0, 0, 0, 0), **fixed)
        long = m.conv(x, kernel=(3, 3), pads=(1, 1, 1, 1), **fixed)
        return m.sum(short, self.same(long) if self.rng.random() < 0.5 else long)

    def excite(self, x: Value) -> Value:
        """x times a factor for each channel, which depends on all of x."""
        m = self.maker
        return m.product(x, m.dense(m.mean(x), outputs=x.shape[3]))

    def view(self, x: Value) -> Value:
        """The same elements as an image of other dimensions."""
        _, height, width, channels = x.shape
        shapes = [(height, 1, width * channels), (height, width * channels, 1), (height * width, 1, channels)]
        shapes += [(1, height * width, channels), (width, height, channels)]
        return self.maker.add(ops.Reshape(x, (1, *shapes[self.rng.integers(len(shapes))])))

    def rows(self, x: Value) -> Value:
        """Some rows of x, or x above what a layer makes of it, or what moves pixels."""
        m, height = self.maker, x.shape[1]
        if self.rng.random() < 0.5:
            return self.moved(x)
        if self.rng.random() < 0.5:
            first = int(self.rng.integers(height))
            size = int(self.rng.integers(1, height - first + 1))
            cut = m.add(ops.Slice(x, (0, first, 0, 0), (1, size, *x.shape[2:]), (1, 1, 1, 1)))
            return self.same(cut)
        return m.add(ops.Concat((self.same(x), self.same(x)), 1))

    def moved(self, x: Value) -> Value:
        """Pixels repeated, made of channels or channels of them; some, or some more around them."""
        m, (_, h, w, c) = self.maker, x.shape
        kind, (a, b) = int(self.rng.integers(8)), (int(self.rng.integers(1, 4)) for _ in range(2))
        if kind == 0:
            apart = m.add(ops.Reshape(x, (1, h, 1, w, 1, c)))
            return m.add(ops.Reshape(m.add(ops.Broadcast(apart, (1, h, a, w, b, c))), (1, h * a, w * b, c)))
        if kind == 1:
            wide = pointwise(m, x, a * b)
            apart = m.add(ops.Transpose(m.add(ops.Reshape(wide, (1, h, w, a, b))), (0, 1, 3, 2, 4)))
            return m.add(ops.Reshape(apart, (1, h * a, w, b)))
        if kind == 2:
            cut = m.add(ops.Slice(x, (0, 0, 0, 0), (1, h - h % a, w, c), (1, 1, 1, 1)))
            apart = m.add(ops.Transpose(m.add(ops.Reshape(cut, (1, h // a, a, w, c))), (0, 1, 3, 2, 4)))
            return m.add(ops.Reshape(apart, (1, h // a, w, a * c)))
        if kind == 3:
            size = (1, -(-h // a), -(-w // b), c)
            return m.add(ops.Slice(x, (0, 0, 0, 0), size, (1, a, b, 1)))
        if kind == 4:
            return m.add(ops.Pad(x, (0, a, b, 0), (0, b, a, 0), (), 1.0))
        if kind == 5:
            return self.same(m.add(ops.Pad(x, (0, a - 1, b, 0), (0, b - 1, a, 0), (0, a, b, 0), 0.0)))
        if kind == 6:
            return self.resized(x)
        return m.add(ops.Transpose(x, (0, 1, 3, 2)))

    def resized(self, x: Value) -> Value:
        """Rows taken in steps of another length, and at the border again."""
        m, rng, height = self.maker, self.rng, x.shape[1]
        if rng.random() < 0.3:
            before, after = (int(rng.integers(0, min(height, 4))) for _ in range(2))
            return m.add(ops.TakeRows(x, height + before + after, pad=before, reflect=True))
        stride, times = (int(n) for n in rng.integers(1, 5, 2))
        count = max(height * times // stride, 1) + int(rng.integers(3))
        first = m.add(ops.TakeRows(x, count, stride, int(rng.integers(-2, 3)), times))
        if rng.random() < 0.5:
            return first
        return m.sum(first, m.add(ops.TakeRows(x, count, stride, -times, times)))


def _tail(maker: Maker, x: Value) -> Value:
    """Nothing, or a mean, a dense layer, a softmax."""
    kind = int(maker.rng.integers(4))
    if kind == 0:
        return x
    if kind > 1:
        x = maker.mean(x)
    y = maker.dense(maker.flat(x), outputs=int(maker.rng.integers(1, 6)))
    return maker.softmax(y) if maker.rng.random() < 0.3 else y
