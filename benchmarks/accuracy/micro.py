"""Networks of one kind of operator between two layers, in ONNX."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tinyc.ir.tensor import Array

IMAGE, TOKENS, STEPS = (1, 4, 8, 8), (1, 12, 16), (8, 1, 12)
"""Shapes of the input: an image, a row of tokens, a sequence of steps."""
CHANNELS = 8
IR_VERSION = 10
Range = tuple[float, float]


class Micro:
    """An ONNX graph under construction: layers that give `operands`, an operator, and a layer that takes its result.

    Args:
        name: from which the random numbers follow.
        opset: of ONNX.
        rounded: of input, operands, results and output, by name, the ranges that they are rounded to 8 bits in; so are
            the weights of the layers then. Nothing is by default.
    """

    def __init__(self, name: str, opset: int, rounded: Mapping[str, Range] | None = None) -> None:
        self.name, self._opset = name, opset
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._rounded = rounded or {}
        self._shape: tuple[int, ...] = ()
        self._typed: list[onnx.ValueInfoProto] = []
        self.operands: list[str] = []

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Adds a node; its first output."""
        name = f"{operator.lower()}_{len(self._nodes)}"
        names = [name, *(f"{name}_{k}" for k in range(1, outputs))]
        self._nodes.append(helper.make_node(operator, list(inputs), names, name=name, **attributes))
        return name

    def constant(self, array: Any) -> str:
        """Adds an initialiser; numbers that are not integers or booleans are float32."""
        data = np.asarray(array)
        if data.dtype.kind == "f":
            data = data.astype(np.float32)
        name = f"constant_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(data).reshape(data.shape), name))
        return name

    def normal(self, *shape: int, spread: float = 1.0, mean: float = 0.0) -> Array:
        """Random numbers."""
        return self.rng.normal(mean, spread, shape).astype(np.float32)

    def weights(self, array: Array, axis: int) -> str:
        """Adds weights with an output channel for each entry of a dimension."""
        if self._rounded:
            others = tuple(d for d in range(array.ndim) if d != axis)
            step = np.abs(array).max(axis=others, keepdims=True) / 127
            array = np.rint(array / step) * step
        return self.constant(array)

    def image(self, spread: float = 1.0, mean: float = 0.0, channels: int = CHANNELS) -> str:
        """An operand [1, channels, 8, 8]: what a convolution makes of the image, numbers of this spread and mean."""
        weights = self.normal(channels, IMAGE[1], 3, 3, spread=spread / (9 * IMAGE[1]) ** 0.5)
        bias = self.constant(self.normal(channels, spread=0.1 * spread, mean=mean))
        x = self.add("Conv", self._input(IMAGE), self.weights(weights, 0), bias, pads=[1, 1, 1, 1])
        return self._operand(x)

    def tokens(self, size: int = 16, spread: float = 1.0, mean: float = 0.0) -> str:
        """An operand [1, 12, size]: what a dense layer makes of the tokens."""
        weights = self.normal(TOKENS[-1], size, spread=spread / TOKENS[-1] ** 0.5)
        bias = self.constant(self.normal(size, spread=0.1 * spread, mean=mean))
        return self._operand(self.add("Add", self.add("MatMul", self._input(TOKENS), self.weights(weights, 1)), bias))

    def vectors(self, shape: Sequence[int], spread: float = 1.0, mean: float = 0.0) -> str:
        """An operand of another shape: that of tokens, seen otherwise."""
        size = int(np.prod(shape)) // TOKENS[1]
        x = self.tokens(size, spread, mean)
        return self.reshape(x, *shape)

    def steps(self, size: int = 12) -> str:
        """An operand [8, 1, size]: what a dense layer makes of the steps of a sequence."""
        weights = self.normal(STEPS[-1], size, spread=STEPS[-1] ** -0.5)
        return self._operand(self.add("MatMul", self._input(STEPS), self.weights(weights, 1)))

    def reshape(self, x: str, *shape: int) -> str:
        """Adds a reshape."""
        return self.add("Reshape", x, self.constant(np.array(shape, np.int64)))

    def typed(self, y: str, *shape: int) -> str:
        """The same value, of a shape that ONNX's inference does not know."""
        self._typed.append(helper.make_tensor_value_info(y, TensorProto.FLOAT, shape))
        return y

    def model(self, y: str, *more: str) -> onnx.ModelProto:
        """The model: a layer of the result `y`, and `more` outputs before its own."""
        shape = self._shape_of(y)
        last = self._round(y, "result")
        if len(shape) == 4:
            weights = self.normal(6, shape[1], 1, 1, spread=shape[1] ** -0.5)
            last = self.add("Conv", last, self.weights(weights, 0))
        else:
            if not shape:
                last, shape = self.reshape(last, 1, 1), (1, 1)
            weights = self.normal(shape[-1], 6, spread=shape[-1] ** -0.5)
            last = self.add("MatMul", last, self.weights(weights, 1))
        return self._finished([*more, self._round(last, "output")])

    def _finished(self, outputs: Sequence[str]) -> onnx.ModelProto:
        source = helper.make_tensor_value_info("x", TensorProto.FLOAT, list(self._shape))
        typed = {value.name: value for value in self._typed}
        ends = [typed.get(n) or helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
        inside = [value for name, value in typed.items() if name not in outputs]
        graph = helper.make_graph(self._nodes, self.name, [source], ends, self._weights, value_info=inside)
        opsets = [helper.make_opsetid("", self._opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        return onnx.shape_inference.infer_shapes(model, data_prop=True)

    def _shape_of(self, y: str) -> tuple[int, ...]:
        (out,) = self._finished([y]).graph.output
        return tuple(d.dim_value for d in out.type.tensor_type.shape.dim)

    def _input(self, shape: tuple[int, ...]) -> str:
        assert self._shape in ((), shape)
        self._shape = shape
        return self._round("x", "input")

    def _operand(self, x: str) -> str:
        self.operands.append(x)
        return self._round(x, f"operand {len(self.operands)}")

    def _round(self, x: str, name: str) -> str:
        """The value rounded to 8 bits, where that is asked for."""
        if name not in self._rounded:
            return x
        low, high = (f(v, 0.0) for f, v in zip((min, max), self._rounded[name], strict=True))
        scale = max(high - low, 1e-12) / 255
        numbers = self.constant(np.float32(scale)), self.constant(np.uint8(np.clip(round(-low / scale), 0, 255)))
        return self.add("DequantizeLinear", self.add("QuantizeLinear", x, *numbers), *numbers)


@dataclass(frozen=True)
class Kind:
    """One kind of operator.

    Attributes:
        name: of it.
        body: makes the result of operands that the graph gives it.
        opset: of ONNX.
    """

    name: str
    body: Callable[[Micro], str]
    opset: int = 18

    def model(self) -> onnx.ModelProto:
        """The network; its last output is that of the last layer."""
        m = Micro(self.name, self.opset)
        return m.model(self.body(m))

    def seen(self) -> tuple[onnx.ModelProto, list[str]]:
        """The network with operands and result of the operator as outputs as well, and what these are called."""
        m = Micro(self.name, self.opset)
        y = self.body(m)
        return m.model(y, *m.operands, y), [*(f"operand {k + 1}" for k in range(len(m.operands))), "result"]

    def rounded(self, ranges: Mapping[str, Range]) -> onnx.ModelProto:
        """The network with all numbers between its operators rounded to 8 bits, which compute in floats."""
        m = Micro(self.name, self.opset, ranges)
        return m.model(self.body(m))

    def samples(self, count: int, seed: int) -> list[list[Array]]:
        """Inputs as the network takes them."""
        shape = [d.dim_value for d in self.model().graph.input[0].type.tensor_type.shape.dim]
        rng = np.random.default_rng(seed)
        return [[_waves(rng, shape)] for _ in range(count)]


def _waves(rng: np.random.Generator, shape: Sequence[int]) -> Array:
    """Numbers of -3 to 3 that change slowly along the dimensions, as those of images and signals do, and some noise:
    the sum of three waves, of which each entry of a dimension has its own part."""
    total = rng.normal(0, 0.2, shape)
    for _ in range(3):
        phase = np.zeros(shape)
        for axis, size in enumerate(shape):
            at = np.arange(size).reshape([-1 if d == axis else 1 for d in range(len(shape))])
            phase = phase + at * rng.uniform(0.2, 1.5)
        total += rng.uniform(0.4, 0.9) * np.sin(phase + rng.uniform(0, 2 * np.pi))
    return np.asarray(total.clip(-3, 3), np.float32)
