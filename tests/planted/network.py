"""The small network that faults are planted in: something of everything, odd sizes, pads that differ on every side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.options import QuantiseOptions
from tinyc.ir.tensor import Array

SHAPE = (1, 3, 21, 19)
EPSILON = 1e-3


class _Graph:
    """Nodes and seeded weights, as they are asked for."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(7)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, name: str, array: Array) -> str:
        self.weights.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def node(self, operator: str, name: str, *operands: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(operator, [*operands], [f"{name}_out"], name=name, **attributes))
        return f"{name}_out"

    def conv(self, name: str, x: str, shape: tuple[int, ...], loud: float = 1.0, **attributes: object) -> str:
        size = float(np.sqrt(np.prod(shape[1:])))
        w = self.weight(f"{name}_w", self.rng.normal(size=shape) * 1.5 * loud / size)
        b = self.weight(f"{name}_b", self.rng.normal(size=shape[0]) * 0.3)
        return self.node("Conv", name, x, w, b, **attributes)

    def batch_norm(self, name: str, x: str, channels: int) -> str:
        arrays = {
            "scale": self.rng.uniform(0.7, 1.3, channels),
            "bias": self.rng.normal(size=channels) * 0.4,
            "mean": self.rng.normal(size=channels) * 0.2,
            "variance": self.rng.uniform(0.05, 0.6, channels),
        }
        constants = [self.weight(f"{name}_{what}", array) for what, array in arrays.items()]
        return self.node("BatchNormalization", name, x, *constants, epsilon=EPSILON)


def network(loud: float = 1.0) -> onnx.ModelProto:
    """A stem with batch norm and ReLU6, an inverted residual (expand, depthwise, pointwise, add), a layer behind a pad,
    both poolings, a concatenation, a dense layer and a softmax.

    The first weights are multiplied by `loud`: one trained on pixels of 0..255 has weights of 1/255.
    """
    g = _Graph()
    six = [g.weight("zero", np.float32(0)), g.weight("six", np.float32(6))]
    x = g.conv("stem", "image", (8, 3, 3, 3), loud, strides=[2, 2], pads=[0, 1, 2, 2])
    x = g.batch_norm("stem_bn", x, 8)
    stem = g.node("Clip", "stem_relu6", x, *six)
    x = g.conv("expand", stem, (24, 8, 1, 1))
    x = g.node("Clip", "expand_relu6", x, *six)
    x = g.conv("depthwise", x, (24, 1, 3, 3), pads=[1, 0, 1, 2], group=24)
    x = g.batch_norm("depthwise_bn", x, 24)
    x = g.node("Relu", "depthwise_relu", x)
    x = g.conv("pointwise", x, (8, 24, 1, 1))
    residual = g.node("Add", "residual", x, stem)
    pads = numpy_helper.from_array(np.array([0, 0, 0, 1, 0, 0, 2, 0], np.int64), "pads")
    g.weights.append(pads)
    x = g.node("Pad", "pad", residual, "pads", mode="constant")
    x = g.conv("behind_pad", x, (6, 8, 3, 3))
    x = g.node("Relu", "behind_pad_relu", x)
    largest = g.node("MaxPool", "largest", x, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 1, 0])
    average = g.node("AveragePool", "average", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 0, 1])
    both = g.node("Concat", "both", largest, average, axis=1)
    flat = g.node("Flatten", "flat", both)
    length = 6 * (5 * 4 + 5 * 4)
    w = g.weight("dense_w", g.rng.normal(size=(length, 5)) / length)
    b = g.weight("dense_b", g.rng.normal(size=5))
    logits = g.node("Gemm", "dense", flat, w, b)
    return _model(g, g.node("Softmax", "classes", logits, axis=1), (1, 5))


def _model(g: _Graph, output: str, shape: tuple[int, ...]) -> onnx.ModelProto:
    graph = helper.make_graph(
        g.nodes,
        "planted",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        g.weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write(folder: Path, loud: float = 1.0) -> Path:
    """The network as a file."""
    path = folder / "planted.onnx"
    onnx.save(network(loud), path)
    return path


def images() -> list[Array]:
    """Six seeded images whose brightness and contrast differ."""
    rng = np.random.default_rng(11)
    how = rng.uniform((0.4, -0.5), (2, 0.5), (6, 2))
    return [(rng.normal(size=SHAPE) * contrast + light).astype(np.float32) for contrast, light in how]


def quantise(**options: Any) -> QuantiseOptions:
    """To int8, learnt from these images."""
    return QuantiseOptions(Calibration([[i] for i in images()]), **options)
