"""A small network with everything that becomes an integer operator, as an ONNX file, and calibration data for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tinyc.compiler.data.calibration import Calibration
from tinyc.ir.tensor import Array

SHAPE = (1, 3, 11, 10)
CLASSES = 6


def network(path: Path) -> Path:
    """Convolutions with asymmetric pads and ReLU6, a depthwise one, a residual sum, a gate, pools, dense, softmax."""
    rng = np.random.default_rng(3)
    weights: dict[str, Array] = {}

    def constant(name: str, array: Array) -> str:
        weights[name] = array.astype(np.float32)
        return name

    def conv(name: str, x: str, shape: tuple[int, ...], high: float | None, **attributes: object) -> str:
        fan = shape[1] * shape[2] * shape[3]
        # Channels of unlike scale, which equalisation has something to do for.
        spread = 10 ** rng.uniform(-0.6, 0.6, (shape[0], 1, 1, 1))
        w = constant(f"{name}_w", rng.normal(0, 1.2 / np.sqrt(fan), shape) * spread)
        b = constant(f"{name}_b", rng.normal(0.2, 0.3, shape[0]) * spread.reshape(-1))
        nodes.append(helper.make_node("Conv", [x, w, b], [name], name=name, **attributes))
        if high is None:
            return name
        nodes.append(helper.make_node("Clip", [name, "zero", "six"], [f"{name}_r"], name=f"{name}_r"))
        return f"{name}_r"

    nodes: list[onnx.NodeProto] = []
    constant("zero", np.asarray(0.0)), constant("six", np.asarray(6.0))
    y = conv("stem", "image", (8, 3, 3, 3), 6.0, pads=[1, 0, 0, 2])
    y = conv("depthwise", y, (8, 1, 3, 3), 6.0, pads=[1, 1, 1, 1], group=8)
    z = conv("project", y, (8, 8, 1, 1), None)
    nodes.append(helper.make_node("Add", [y, z], ["sum"], name="residual"))
    nodes.append(helper.make_node("MaxPool", ["sum"], ["m"], name="max_pool", kernel_shape=[2, 2], strides=[1, 1]))
    nodes.append(helper.make_node("AveragePool", ["m"], ["a"], name="average_pool", kernel_shape=[2, 2]))
    nodes.append(helper.make_node("Sigmoid", ["a"], ["s"], name="sigmoid"))
    nodes.append(helper.make_node("Mul", ["a", "s"], ["g"], name="gate_by_itself"))
    g = conv("gate", "g", (8, 8, 1, 1), None)
    nodes.append(helper.make_node("Mul", ["a", g], ["gated"], name="gated"))
    nodes.append(helper.make_node("GlobalAveragePool", ["gated"], ["p"], name="pool"))
    nodes.append(helper.make_node("Flatten", ["p"], ["f"], name="flatten"))
    constant("dense_w", rng.normal(0, 1.0, (CLASSES, 8))), constant("dense_b", rng.normal(0, 0.2, CLASSES))
    nodes.append(helper.make_node("Gemm", ["f", "dense_w", "dense_b"], ["logits"], name="dense", transB=1))
    nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], name="softmax", axis=1))
    ports = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, SHAPE),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, (1, CLASSES)),
    ]
    held = [numpy_helper.from_array(a, n) for n, a in weights.items()]
    graph = helper.make_graph(nodes, "witnessed", ports[:1], ports[1:], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def calibration(count: int = 12, seed: int = 1, scale: float = 1.0) -> Calibration:
    """Smooth random images: numbers of both signs, more alike than noise."""
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(count):
        coarse = np.kron(rng.normal(0, 1, (1, 3, 4, 4)), np.ones((1, 1, 3, 3)))[:, :, :11, :10]
        samples.append([((coarse + rng.normal(0, 0.3, SHAPE)) * scale).astype(np.float32)])
    return Calibration(samples)
