"""Deep networks, as ONNX models with seeded weights: what a compiler takes that grows with the layers."""

from __future__ import annotations

import numpy as np
import onnx

from benchmarks.networks import Graph

CHANNELS, SIZE = 8, 32


def chain(layers: int) -> onnx.ModelProto:
    """Convolutions 3x3, each with a ReLU, on 32x32x8."""
    g = _graph(f"chain_{layers}")
    for number in range(layers):
        _convolution(g, f"conv{number}", 3)
    return _model(g)


def separable(layers: int) -> onnx.ModelProto:
    """Depthwise and pointwise convolutions by turns, each with a ReLU, on 32x32x8."""
    g = _graph(f"separable_{layers}")
    for number in range(layers):
        _convolution(g, f"conv{number}", 1 if number % 2 else 3, depthwise=not number % 2)
    return _model(g)


def narrow(layers: int, size: int = 96) -> onnx.ModelProto:
    """A stem of stride 2 on an image of 3 channels, then depthwise and pointwise convolutions by turns on 8 channels,
    each with a ReLU: that many in all. The mean of each channel and a dense layer follow."""
    g = Graph(f"narrow_{layers}", (1, 3, size, size))
    g.conv("stem", g.random(CHANNELS, 3, 3, 3), g.random_bias(CHANNELS), strides=[2, 2], pads=[1, 1, 1, 1])
    g.add("Relu", "stem_relu")
    for number in range(1, layers):
        _convolution(g, f"conv{number}", 3 if number % 2 else 1, depthwise=number % 2 == 1)
    g.add("GlobalAveragePool", "mean")
    g.add("Flatten", "flatten")
    g.add(
        "Gemm", "dense", g.weight("dense_w", g.random(10, CHANNELS)), g.weight("dense_b", g.random_bias(10)), transB=1
    )
    return g.model((1, 10))


def residual(layers: int) -> onnx.ModelProto:
    """Convolutions 3x3 on 32x32x8, around each two of which the operand is added to the result. The second has small
    weights: sums of so many results stay far from the largest float."""
    g = _graph(f"residual_{layers}")
    for number in range(0, layers, 2):
        entry = g.last
        _convolution(g, f"conv{number}", 3)
        _convolution(g, f"conv{number + 1}", 3, scale=0.1)
        g.add("Add", f"add{number}", entry)
    return _model(g)


def lstm(steps: int, hidden: int = 64, inputs: int = 40) -> onnx.ModelProto:
    """An LSTM over so many steps; its last state is the output."""
    g = Graph(f"lstm_{steps}", (steps, 1, inputs))
    shapes = {"lstm_w": (1, 4 * hidden, inputs), "lstm_r": (1, 4 * hidden, hidden), "lstm_b": (1, 8 * hidden)}
    weights = [g.weight(name, g.random(*shape) * np.float32(0.1)) for name, shape in shapes.items()]
    g.add("LSTM", "states", *weights, hidden_size=hidden)
    g.reshape("sequence", steps, hidden)
    g.add("Gather", "last", g.weight("place", np.array([steps - 1], np.int64)), axis=0)
    return g.model((1, hidden))


def _graph(name: str) -> Graph:
    return Graph(name, (1, CHANNELS, SIZE, SIZE))


def _convolution(g: Graph, name: str, size: int, depthwise: bool = False, scale: float = 1.0) -> None:
    weights = g.random(CHANNELS, 1 if depthwise else CHANNELS, size, size) * np.float32(scale)
    g.conv(name, weights, g.random_bias(CHANNELS), pads=[size // 2] * 4, group=CHANNELS if depthwise else 1)
    g.add("Relu", f"{name}_relu")


def _model(g: Graph) -> onnx.ModelProto:
    return g.model((1, CHANNELS, SIZE, SIZE))
