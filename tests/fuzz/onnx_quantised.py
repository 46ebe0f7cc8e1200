"""Random models that are quantised already: QDQ, and operators on integers, made from random float models.

A float model is run once for the ranges of its values; then values are quantised and dequantised where they are made,
weights are int8, and convolutions and products of matrices at times take integers and give them (QLinearConv,
QLinearMatMul) or their sums (ConvInteger, MatMulInteger).
"""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.fuzz.onnx_graphs import grow, model_of, outputs_of
from tests.fuzz.onnx_grower import Grower
from tests.sessions import open_onnxruntime
from tinyc.ir.tensor import Array


def quantised_model(random: Random) -> onnx.ModelProto:
    """A random quantised model."""
    g = grow(random)
    while any(i.type.tensor_type.elem_type != TensorProto.FLOAT for i in g.inputs):
        g = grow(random)
    model = model_of(g, outputs_of(g))
    return _Quantiser(random, g, model).run()


def _ranges(model: onnx.ModelProto, random: Random) -> dict[str, tuple[float, float]]:
    """The least and the largest element of each value."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    known = {o.name for o in whole.graph.output}
    made = [name for n in whole.graph.node for name in n.output]
    whole.graph.output.extend(onnx.ValueInfoProto(name=n) for n in made if n not in known)
    session = open_onnxruntime(whole)
    rng = np.random.default_rng(random.getrandbits(32))
    feeds = {
        i.name: rng.standard_normal([d.dim_value for d in i.type.tensor_type.shape.dim]).astype(np.float32)
        for i in model.graph.input
    }
    arrays = dict(zip([o.name for o in whole.graph.output], session.run(None, feeds), strict=True)) | feeds
    return {name: (float(np.min(a)), float(np.max(a))) for name, a in arrays.items()}


class _Quantiser:
    """Rewrites a float model."""

    def __init__(self, random: Random, g: Grower, model: onnx.ModelProto) -> None:
        self.random, self.g, self.model = random, g, model
        self.ranges = _ranges(model, random)
        self.arrays = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.unsigned = random.random() < 0.4
        self.nodes: list[onnx.NodeProto] = []
        self.scales: dict[str, tuple[str, str]] = {}
        self.shown: dict[str, str] = {}
        self.names = 0

    def run(self) -> onnx.ModelProto:
        """The quantised model."""
        graph = self.model.graph
        for i in graph.input:
            self._value(i.name)
        outputs = {o.name for o in graph.output}
        for node in graph.node:
            whole = node.op_type in ("Conv", "MatMul") and node.input[0] in self.scales and node.input[1] in self.arrays
            if whole and node.output[0] not in outputs and self.random.random() < 0.5:
                self._on_integers(node)
                continue
            self._plain(node)
            self._value(node.output[0], is_output=node.output[0] in outputs)
        arrays = [numpy_helper.from_array(np.asarray(a), n) for n, a in self.arrays.items()]
        used = {name for n in self.nodes for name in n.input}
        made = helper.make_graph(
            self.nodes, "quantised", graph.input, graph.output, [a for a in arrays if a.name in used]
        )
        return helper.make_model(made, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)

    def _fresh(self, hint: str) -> str:
        self.names += 1
        return f"{hint}_q{self.names}"

    def _constant(self, hint: str, array: Array) -> str:
        name = self._fresh(hint)
        self.arrays[name] = array
        return name

    def _add(self, op: str, operands: list[str], output: str, **attributes: Any) -> None:
        self.names += 1
        self.nodes.append(helper.make_node(op, operands, [output], name=f"q{self.names}", **attributes))

    def _scale(self, name: str) -> tuple[str, str]:
        """Scale and zero point of a value's range, which holds 0."""
        low, high = min(self.ranges[name][0], 0.0), max(self.ranges[name][1], 0.0)
        scale = max(high - low, 1e-3) / 255
        least = 0 if self.unsigned else -128
        zero = int(np.clip(round(least - low / scale), least, least + 255))
        dtype = np.uint8 if self.unsigned else np.int8
        return (
            self._constant(f"{name}_scale", np.asarray(scale, np.float32)),
            self._constant(f"{name}_zero", np.asarray(zero, dtype)),
        )

    def _value(self, name: str, is_output: bool = False) -> None:
        """Quantises a value and dequantises it for its users, mostly."""
        if self.random.random() < 0.1 or (is_output and self.random.random() < 0.5):
            return
        scale = self._scale(name)
        integers, real = self._fresh(name), self._fresh(name)
        self._add("QuantizeLinear", [name, *scale], integers)
        self._add("DequantizeLinear", [integers, *scale], real)
        self.scales[name], self.shown[name] = scale, real

    def _weights(self, name: str, axis: int) -> tuple[str, str, str, Array]:
        """Integers, scale and zero point of weights, of all or of each entry of a dimension; and the scales."""
        array = self.arrays[name]
        each = self.random.random() < 0.7
        others = tuple(d for d in range(array.ndim) if d != axis)
        largest = np.abs(array).max(axis=others) if each else np.abs(array).max()
        scale = np.asarray(np.maximum(largest, 1e-4) / 127, np.float32)
        shape = [-1 if d == axis else 1 for d in range(array.ndim)]
        integers = np.clip(np.rint(array / (scale.reshape(shape) if each else scale)), -127, 127).astype(np.int8)
        names = self._constant(name, integers), self._constant(f"{name}_scale", scale)
        return (*names, self._constant(f"{name}_zero", np.zeros_like(scale, np.int8)), scale)

    def _plain(self, node: onnx.NodeProto) -> None:
        """The float operator on dequantised operands; weights are dequantised too, and a bias at times."""
        operands = [self.shown.get(name, name) for name in node.input]
        if node.op_type in ("Conv", "Gemm", "MatMul") and node.input[1] in self.arrays:
            axis = 0 if node.op_type == "Conv" else 1
            integers, scale, zero, _ = self._weights(node.input[1], axis)
            operands[1] = self._fresh(node.input[1])
            self._add("DequantizeLinear", [integers, scale, zero], operands[1], axis=axis)
        elif self.random.random() < 0.7:
            for k, name in enumerate(node.input):
                if name in self.arrays and self.arrays[name].dtype == np.float32 and node.op_type not in KEEP:
                    operands[k] = self._constant_shown(name)
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        self._add(node.op_type, operands, node.output[0], **attributes)

    def _constant_shown(self, name: str) -> str:
        """A constant as integers that are dequantised."""
        array = self.arrays[name]
        self.ranges[name] = (float(array.min()), float(array.max()))
        scale, zero = self._scale(name)
        numbers = array / self.arrays[scale] + self.arrays[zero]
        limits = np.iinfo(self.arrays[zero].dtype)
        integers = np.clip(np.rint(numbers), limits.min, limits.max).astype(self.arrays[zero].dtype)
        real = self._fresh(name)
        self._add("DequantizeLinear", [self._constant(name, integers), scale, zero], real)
        return real

    def _on_integers(self, node: onnx.NodeProto) -> None:
        """A convolution or a product with a constant matrix, on integers."""
        x, out = node.input[0], node.output[0]
        integers, result, self.shown[out] = self._fresh(x), self._fresh(out), self._fresh(out)
        self._add("QuantizeLinear", [self.shown[x], *self.scales[x]], integers)
        *weights, scale = self._weights(node.input[1], 0 if node.op_type == "Conv" else 1)
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if self.unsigned and len(node.input) == 2 and self.random.random() < 0.5:
            self._sums(
                node, [integers, weights[0], self.scales[x][1]], self.arrays[self.scales[x][0]] * scale, attributes
            )
            return
        self.scales[out] = self._scale(out)
        operands = [integers, *self.scales[x], *weights, *self.scales[out]]
        if node.op_type == "MatMul":
            self._add("QLinearMatMul", operands, result)
        else:
            if len(node.input) > 2:
                steps = self.arrays[self.scales[x][0]] * scale
                bias = np.rint(self.arrays[node.input[2]] / steps).astype(np.int32)
                operands.append(self._constant("bias", bias))
            self._add("QLinearConv", operands, result, **attributes)
        self._add("DequantizeLinear", [result, *self.scales[out]], self.shown[out])

    def _sums(self, node: onnx.NodeProto, operands: list[str], steps: Array, attributes: dict[str, Any]) -> None:
        """The operator that gives its sums, which are scaled in float."""
        totals, real = self._fresh("totals"), self._fresh("real")
        self._add(f"{node.op_type}Integer", operands, totals, **attributes)
        self._add("Cast", [totals], real, to=TensorProto.FLOAT)
        shape = (-1, 1, 1) if node.op_type == "Conv" and steps.ndim else steps.shape
        scale = self._constant("steps", np.asarray(steps, np.float32).reshape(shape))
        self.shown[node.output[0]] = node.output[0]
        self._add("Mul", [real, scale], node.output[0])


KEEP = ("Clip", "Pad", "BatchNormalization", "PRelu")
"""Operators whose constants stay float."""
