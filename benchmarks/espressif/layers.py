"""Which layers are counted, as small networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import onnx

from benchmarks.networks import Graph

LAYER = "layer"
"""The name of the node that is counted."""
Added = Callable[[Graph], tuple[int, ...]]
"""Adds the node to a graph, and tells the shape of its result."""


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        shape: of its operand: channels, height, width.
        add: adds it to a graph whose last result is the operand.
        limits: instructions of a multiply-accumulate, or of an element of the result, at most, by machine.
        room: what the image that is pooled to the operand has as many times the height and width of.
    """

    shape: tuple[int, int, int]
    add: Added
    limits: Mapping[str, float] = field(default_factory=dict)
    room: int = 2

    def network(self, name: str, room: bool) -> onnx.ModelProto:
        """The layer alone, or behind the pooling of an image that leaves room."""
        channels, height, width = self.shape
        times = self.room if room else 1
        graph = Graph(name, (1, channels, times * height, times * width))
        if room:
            graph.add("MaxPool", "room", kernel_shape=[times, times], strides=[times, times])
        return graph.model(self.add(graph))


def _conv(channels: int, size: int, outputs: int, kernel: int, stride: int = 1, depthwise: bool = False) -> Layer:
    """A convolution with a ReLU, of a square image; padded to keep its size, or by what a stride of 2 lacks at the
    end, as TensorFlow does."""

    def add(graph: Graph) -> tuple[int, ...]:
        taken = 1 if depthwise else channels
        more = {"group": channels} if depthwise else {}
        most = kernel - stride
        pads = [most // 2, most // 2, most - most // 2, most - most // 2]
        weights = graph.random(outputs, taken, kernel, kernel)
        graph.conv(LAYER, weights, graph.random_bias(outputs), strides=[stride, stride], pads=pads, **more)
        graph.add("Relu", "relu")
        return 1, outputs, size // stride, size // stride

    return Layer((channels, size, size), add)


def _dense(inputs: int, outputs: int) -> Layer:
    def add(graph: Graph) -> tuple[int, ...]:
        graph.reshape("flat", 1, inputs)
        weights = graph.weight("layer_w", graph.random(outputs, inputs).T)
        graph.add("Gemm", LAYER, weights, graph.weight("layer_b", graph.random_bias(outputs)))
        return 1, outputs

    return Layer((inputs, 1, 1), add, room=4)


def _weighted(graph: Graph, channels: int) -> None:
    """Adds a pointwise convolution. What has no weights itself becomes int8 where it hangs on a layer that has."""
    graph.conv("before", graph.random(channels, channels, 1, 1), graph.random_bias(channels))


def _pool(operator: str, channels: int, size: int) -> Layer:
    def add(graph: Graph) -> tuple[int, ...]:
        _weighted(graph, channels)
        graph.add(operator, LAYER, kernel_shape=[2, 2], strides=[2, 2])
        return 1, channels, size // 2, size // 2

    return Layer((channels, size, size), add)


def _mean(channels: int, size: int) -> Layer:
    def add(graph: Graph) -> tuple[int, ...]:
        _weighted(graph, channels)
        graph.add("GlobalAveragePool", LAYER)
        return 1, channels, 1, 1

    return Layer((channels, size, size), add)


def _residual(channels: int, size: int) -> Layer:
    def add(graph: Graph) -> tuple[int, ...]:
        taken = graph.last
        _weighted(graph, channels)
        graph.add("Add", LAYER, taken)
        return 1, channels, size, size

    return Layer((channels, size, size), add)


_depthwise = partial(_conv, depthwise=True)


def _limited(layer: Layer, **limits: float) -> Layer:
    return Layer(layer.shape, layer.add, limits, layer.room)


LAYERS: Mapping[str, Layer] = {
    "pointwise_6x6x128_128": _limited(_conv(128, 6, 128, 1), esp32=1.35, esp32s3=0.61),
    "pointwise_12x12x64_64": _conv(64, 12, 64, 1),
    "pointwise_48x48x8_16": _conv(8, 48, 16, 1),
    "conv3x3_32x32x16_16": _conv(16, 32, 16, 3),
    "conv3x3_8x8x64_64": _conv(64, 8, 64, 3),
    "depthwise3x3_24x24x32": _limited(_depthwise(32, 24, 32, 3), esp32s3=4.5),
    "depthwise3x3_stride2_24x24x32": _depthwise(32, 24, 32, 3, 2),
    "stem3x3_stride2_96x96x3_8": _conv(3, 96, 8, 3, 2),
    "dense_256_64": _dense(256, 64),
    "max_pool2x2_24x24x32": _pool("MaxPool", 32, 24),
    "avg_pool2x2_24x24x32": _pool("AveragePool", 32, 24),
    "mean_6x6x256": _mean(256, 6),
    "add_24x24x32": _residual(32, 24),
}
