"""Layers for ESP-NN: for each gate one at which it holds and one close by at which none does, and random ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.c.quantised import Maker, Shape, scalar_factor
from tinyc.ir import IRError, Value, fixed_point, ops


@dataclass
class Layers(Maker):
    """Makes operators; `kept` are outputs besides theirs, for which their operands are read once more."""

    kept: list[Value] = field(default_factory=list)

    def beside(self, x: Value, y: Value) -> Value:
        """The product of x and y, which does not lie over x."""
        value = self.product(x, y)
        self.kept.append(self.sum(x, value))
        return value


Layer = Callable[[Layers], Value]


@dataclass(frozen=True)
class AtGate:
    """`caught` makes a layer that the gate keeps from the library on a chip, `near` one that it does not."""

    chip: str
    caught: Layer
    near: Layer
    straight: bool = False


def conv(shape: Shape, kernel: int | tuple[int, int], outputs: int, **more: Any) -> Layer:
    """A convolution; stride 1 and no pads unless said."""
    size = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    plain: dict[str, Any] = {"groups": 1, "strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1)}
    corner = more.pop("corner", "ordinary")
    return lambda m: m.conv(m.input(shape), corner, kernel=size, outputs=outputs, **{**plain, **more})


def depthwise(shape: Shape, kernel: int, pads: tuple[int, ...] = (0, 0, 0, 0), **more: Any) -> Layer:
    """A depthwise convolution; stride 1 and one output channel a channel unless said."""
    plain: dict[str, Any] = {"each": 1, "strides": (1, 1), "pads": pads, "dilations": (1, 1)}
    return lambda m: m.depthwise(m.input(shape), "ordinary", kernel=(kernel, kernel), **{**plain, **more})


def dense(shape: Shape, outputs: int) -> Layer:
    """A dense layer."""
    return lambda m: m.dense(m.input(shape), "ordinary", outputs)


def pool(kind: type[ops.MaxPool2d | ops.QAvgPool2d], shape: Shape, size: int) -> Layer:
    """A pooling with a square window."""
    return lambda m: m.add(kind(m.input(shape), (size, size)))


def softmax(shape: Shape, left: int | None = None) -> Layer:
    """A softmax."""
    scaling = fixed_point.softmax_scaling(0.05) if left is None else (2**30, left, -1)
    return lambda m: m.add(ops.QSoftmax(m.input(shape), *scaling))


def mean(shape: Shape, **limits: int) -> Layer:
    """A mean over rows and columns."""

    def make(m: Layers) -> Value:
        factor = scalar_factor(np.random.default_rng(1), 255 * shape[1] * shape[2], left=False)
        return m.add(ops.QMean(m.input(shape), 3, *factor, **limits))

    return make


def scaled(shape: Shape) -> Layer:
    """A product with a factor for each channel."""
    return lambda m: m.beside(m.input(shape), m.input((1, 1, 1, shape[3])))


def over(name: str) -> Layer:
    """A sum or product whose result lies over an operand that dies."""
    return lambda m: getattr(m, name)(m.lookup(m.input((1, 4, 4, 16))), m.input((1, 4, 4, 16)))


S3, P4 = "esp32s3", "esp32p4"
WIDE, SMALL = (1, 6, 6, 16), (1, 6, 6, 8)

GATES: dict[str, AtGate] = {
    "batch": AtGate("", mean((2, 5, 5, 3)), mean((1, 5, 5, 3))),
    "dilation": AtGate("", conv(WIDE, 3, 4, dilations=(2, 2)), conv(WIDE, 3, 4)),
    "size": AtGate("", dense((1, 33_000), 2), dense((1, 32_000), 2)),
    "sums": AtGate(
        "",
        conv(WIDE, 3, 4, pads=(1, 1, 1, 1), zero=-128, corner="full bias"),
        conv(WIDE, 3, 4, pads=(1, 1, 1, 1), zero=-128),
    ),
    "mean-limits": AtGate("", mean(WIDE, min=0), mean(WIDE)),
    "softmax-width": AtGate("", softmax((1, 600)), softmax((1, 511))),
    "softmax-shift": AtGate("", softmax((1, 16), 31), softmax((1, 16), 30)),
    "in-place": AtGate("", over("product"), over("sum")),
    "pointwise-groups": AtGate("", conv(WIDE, 1, 8, groups=2), conv(WIDE, 1, 8)),
    "pointwise-padding": AtGate("", conv(WIDE, 1, 8, pads=(0, 0, 1, 0)), conv(WIDE, 1, 8, strides=(2, 2))),
    "alignment": AtGate(S3, conv(WIDE, 3, 16), conv(WIDE, 3, 16), straight=True),
    "s3-end-padding": AtGate(S3, conv(WIDE, 3, 4, pads=(1, 1, 1, 2)), conv(WIDE, 3, 4, pads=(1, 1, 1, 1))),
    "s3-depthwise-scratch": AtGate(S3, depthwise(WIDE, 3, (1, 0, 1, 0)), depthwise(WIDE, 3, (1, 1, 1, 1))),
    "s3-depthwise-end-padding": AtGate(S3, depthwise(WIDE, 3, (1, 1, 2, 1)), depthwise(WIDE, 3, (1, 1, 0, 1))),
    "s3-depthwise-end-tiles": AtGate(
        S3,
        depthwise((1, 32, 32, 48), 3, (0, 0, 1, 1), strides=(2, 2)),
        depthwise((1, 24, 24, 48), 3, (0, 0, 1, 1), strides=(2, 2)),
    ),
    "s3-depthwise-tiles": AtGate(
        S3, depthwise((1, 20, 20, 64), 5, (2, 2, 2, 2)), depthwise((1, 20, 20, 64), 5, (0, 2, 0, 2))
    ),
    "s3-max-pool-channels": AtGate(S3, pool(ops.MaxPool2d, (1, 6, 6, 6), 2), pool(ops.MaxPool2d, SMALL, 2)),
    "s3-avg-pool-channels": AtGate(S3, pool(ops.QAvgPool2d, (1, 18, 18, 3), 17), pool(ops.QAvgPool2d, SMALL, 3)),
    "s3-dense-alignment": AtGate(S3, dense((3, 20), 5), dense((3, 32), 5)),
    "s3-dense-stack": AtGate(S3, dense((1, 16), 513), dense((1, 16), 512)),
    "s3-softmax-alignment": AtGate(S3, softmax((3, 40)), softmax((3, 48))),
    "s3-mul-channels": AtGate(S3, scaled((1, 4, 4, 6)), scaled(WIDE)),
    "p4-groups": AtGate(P4, conv((1, 6, 6, 32), 3, 8, groups=2), conv((1, 6, 6, 32), 3, 8)),
    "p4-end-padding": AtGate(P4, conv(WIDE, 3, 8, pads=(0, 0, 0, 1)), conv(WIDE, 3, 8)),
    "p4-conv-alignment": AtGate(
        P4, conv((1, 6, 6, 4), 3, 8, pads=(1, 1, 1, 1)), conv((1, 6, 6, 16), 3, 8, pads=(1, 1, 1, 1))
    ),
    "p4-depthwise-alignment": AtGate(P4, depthwise((1, 6, 6, 12), 3), depthwise(WIDE, 3)),
    "p4-depthwise-wide": AtGate(P4, depthwise((1, 4, 4, 272), 3), depthwise((1, 4, 4, 256), 3)),
    "p4-pool-alignment": AtGate(P4, pool(ops.MaxPool2d, (1, 6, 6, 20), 2), pool(ops.QAvgPool2d, WIDE, 2)),
    "p4-dense-alignment": AtGate(P4, dense((1, 20), 3), dense((1, 32), 3)),
    "p4-softmax-alignment": AtGate(P4, softmax((3, 20)), softmax((3, 32))),
}

KINDS = ("conv", "conv", "pointwise", "depthwise", "depthwise3x3", "dense", "mean", "pool", "largest", "softmax")


def some(maker: Layers) -> Value:
    """A random layer, its channels mostly a multiple of 4, 8 or 16."""
    rng = maker.rng
    while True:
        channels = int(rng.choice([1, 3, 4, 8, 12, 16, 24, 32, int(rng.integers(1, 40))]))
        shape = (1, int(rng.integers(1, 10)), int(rng.integers(1, 10)), channels)
        kind = int(rng.integers(len(KINDS) + 3))
        try:
            if kind >= len(KINDS):
                x, y = maker.input(shape), maker.input(shape if kind > len(KINDS) else (1, 1, 1, channels))
                return maker.sum(x, y) if kind > len(KINDS) + 1 else maker.beside(x, y)
            return getattr(maker, KINDS[kind])(maker.input(shape))
        except IRError:
            continue


def shown(maker: Layers, value: Value) -> Value:
    """The value behind a table, so that it lies in the arena and not in the caller's memory."""
    return maker.add(ops.Lookup(value, maker.builder.constant(np.arange(-128, 128).astype(np.int8))))


def mixed(seed: int, chip: str, count: int) -> tuple[Layers, list[Value]]:
    """Layers at all gates and near them, then random ones, so many in all."""
    maker = Layers(np.random.default_rng(seed))
    found = []
    for case in GATES.values():
        for layer in (case.caught, case.near):
            value = layer(maker)
            found.append(value if case.straight and layer is case.caught else shown(maker, value))
    while len(found) < count:
        found.append(shown(maker, some(maker)))
    return maker, found
