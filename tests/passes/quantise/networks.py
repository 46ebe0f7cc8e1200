"""Small networks to quantise."""

from __future__ import annotations

import math

import numpy as np

from tinyc.ir import Builder, DType, Module, TensorType, Value
from tinyc.ir.ops import Conv2d, Dense, DepthwiseConv2d, ReduceMean, Reshape, Softmax
from tinyc.ir.tensor import Array

ONE: Array = np.ones(1)


class Net:
    """Builds layers with seeded weights. `given` and `taken` are factors of a layer's output and input channels."""

    def __init__(self, *shape: int, seed: int = 0) -> None:
        self.b = Builder("net")
        self.x = self.b.input("x", TensorType(shape, DType.F32))
        self.rng = np.random.default_rng(seed)

    def constant(self, array: Array, name: str) -> Value:
        return self.b.constant(array.astype(np.float32), name)

    def weights(self, *shape: int, fan: int) -> Array:
        return self.rng.standard_normal(shape) / math.sqrt(fan)

    def bias(self, size: int) -> Array:
        return self.rng.standard_normal(size) * 0.2

    def conv(
        self,
        x: Value,
        outputs: int,
        loc: str,
        size: int = 3,
        high: float = math.inf,
        given: Array = ONE,
        taken: Array = ONE,
    ) -> Value:
        inputs, pad = x.shape[3], size // 2
        w = self.weights(outputs, size, size, inputs, fan=size * size * inputs) * given.reshape(-1, 1, 1, 1) / taken
        bias = self.constant(self.bias(outputs) * given, "b")
        op = Conv2d(x, self.constant(w, "w"), bias, pads=(pad,) * 4, min=0.0, max=high)
        return self.b.add(op, loc, loc)

    def depthwise(self, x: Value, loc: str, high: float = math.inf, given: Array = ONE, taken: Array = ONE) -> Value:
        w = self.constant(self.weights(3, 3, x.shape[3], fan=9) * given / taken, "w")
        bias = self.constant(self.bias(x.shape[3]) * given, "b")
        return self.b.add(DepthwiseConv2d(x, w, bias, pads=(1, 1, 1, 1), min=0.0, max=high), loc, loc)

    def dense(self, x: Value, outputs: int, loc: str) -> Value:
        w = self.constant(self.weights(outputs, x.shape[-1], fan=x.shape[-1]), "w")
        return self.b.add(Dense(x, w, self.constant(self.bias(outputs), "b")), loc, loc)

    def head(self, x: Value, classes: int = 5) -> Value:
        mean = self.b.add(ReduceMean(x, (1, 2)), "mean", "mean")
        flat = self.b.add(Reshape(mean, (1, x.shape[3])), "flat", "flat")
        return self.b.add(Softmax(self.dense(flat, classes, "logits")), "probabilities", "softmax")


def depthwise_net(high: float = math.inf, decades: float = 0.0) -> Module:
    """Convolution, depthwise, pointwise, head.

    `decades` spoils it for int8 without changing what it computes: the channels before and after the depthwise layer
    are scaled by factors that span as many powers of ten, and the layer behind undoes it.
    """
    factors = 10 ** np.random.default_rng(7).uniform(-decades / 2, decades / 2, (2, 8))
    net = Net(1, 12, 12, 3)
    y = net.conv(net.x, 8, "conv", high=high, given=factors[0])
    y = net.depthwise(y, "depthwise", high=high, taken=factors[0], given=factors[1])
    y = net.conv(y, 6, "pointwise", size=1, high=high, taken=factors[1])
    return net.b.build([net.head(y)])


def images(count: int, *shape: int, seed: int = 1) -> list[list[Array]]:
    """Standard normal inputs."""
    rng = np.random.default_rng(seed)
    return [[rng.standard_normal(shape).astype(np.float32)] for _ in range(count)]
