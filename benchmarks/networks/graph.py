"""An ONNX graph under construction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Floats = NDArray[np.float32]
OPSET = 17
IR_VERSION = 8


class Graph:
    """An ONNX graph under construction: a chain of nodes, each fed by the one before."""

    def __init__(self, name: str, shape: Sequence[int], seed: int = 0) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(seed)
        self._input = helper.make_tensor_value_info("image", TensorProto.FLOAT, list(shape))
        self.last = "image"

    def random(self, *shape: int) -> Floats:
        """Weights that keep the scale of what they are applied to (He et al. 2015)."""
        fan_in = max(int(np.prod(shape[1:])), 1)
        return self._random.normal(0, np.sqrt(2.0 / fan_in), shape).astype(np.float32)

    def random_bias(self, channels: int) -> Floats:
        """Biases, small beside what they are added to."""
        return self._random.normal(0, 0.1, channels).astype(np.float32)

    def weight(self, name: str, data: NDArray[np.generic]) -> str:
        """Adds an initialiser."""
        self._weights.append(numpy_helper.from_array(np.asarray(data, order="C"), name))
        return name

    def add(self, operator: str, name: str, *weights: str, **attributes: Any) -> None:
        """Adds a node that takes the last result and these weights."""
        self._nodes.append(helper.make_node(operator, [self.last, *weights], [name], name=name, **attributes))
        self.last = name

    def split(self, *names: str, axis: int = 1) -> None:
        """Adds a node that divides the last result into equal parts; the last of them goes on."""
        self._nodes.append(helper.make_node("Split", [self.last], list(names), name=f"{names[0]}_split", axis=axis))
        self.last = names[-1]

    def conv(self, name: str, weights: Floats, bias: Floats | None = None, **attributes: Any) -> None:
        """Adds a convolution; weights are OIHW."""
        names = [self.weight(f"{name}_w", weights)]
        if bias is not None:
            names.append(self.weight(f"{name}_b", bias))
        self.add("Conv", name, *names, kernel_shape=list(weights.shape[2:]), **attributes)

    def batch_norm(self, name: str, vectors: Sequence[Floats], epsilon: float = 1e-3) -> None:
        """Adds a batch normalisation; vectors are scale, bias, mean and variance."""
        names = [self.weight(f"{name}_{k}", v) for k, v in zip(("scale", "bias", "mean", "var"), vectors, strict=True)]
        self.add("BatchNormalization", name, *names, epsilon=epsilon)

    def random_batch_norm(self, name: str, channels: int) -> None:
        """Adds a batch normalisation as training leaves them: near the identity, but not on it."""
        r = self._random
        spreads = [r.uniform(0.6, 1.4, channels), r.normal(0, 0.2, channels), r.normal(0, 0.2, channels)]
        vectors = [*spreads, r.uniform(0.5, 1.5, channels)]
        self.batch_norm(name, [v.astype(np.float32) for v in vectors])

    def pad(self, name: str, before: int, after: int) -> None:
        """Adds a zero pad of the rows and columns."""
        pads = np.array([0, 0, before, before, 0, 0, after, after], np.int64)
        self.add("Pad", name, self.weight(f"{name}_pads", pads))

    def relu6(self, name: str) -> None:
        """Adds a ReLU6."""
        limits = [self.weight(f"{name}_{n}", np.array(v, np.float32)) for n, v in (("min", 0.0), ("max", 6.0))]
        self.add("Clip", name, *limits)

    def reshape(self, name: str, *shape: int) -> None:
        """Adds a reshape."""
        self.add("Reshape", name, self.weight(f"{name}_shape", np.array(shape, np.int64)))

    def layer(
        self,
        name: str,
        weights: Floats,
        *,
        stride: int = 1,
        groups: int = 1,
        pads: Sequence[int] = (),
        dilation: int = 1,
        activation: str = "Relu",
    ) -> None:
        """Adds a convolution with its batch norm and activation, as PyTorch exports them: as many rows and columns
        outside on each side as keep the size at stride 1, where no `pads` are given.

        Args:
            name: of the convolution; the others are called after it.
            weights: OIHW, or OIL of a signal.
            stride: in each dimension.
            groups: of channels.
            pads: before each dimension, then behind each.
            dilation: in each dimension.
            activation: the operator; "Clip" is a ReLU6, "Swish" x times its sigmoid, "" none.
        """
        sizes = weights.shape[2:]
        same = [size // 2 * dilation for size in sizes] * 2
        strides, dilations = [stride] * len(sizes), [dilation] * len(sizes)
        self.conv(name, weights, strides=strides, dilations=dilations, pads=list(pads) or same, group=groups)
        self.random_batch_norm(f"{name}_bn", weights.shape[0])
        self.activation(f"{name}_act", activation)

    def activation(self, name: str, operator: str) -> None:
        """Adds an activation, as `layer` names it."""
        if operator == "Clip":
            self.relu6(name)
        elif operator == "Swish":
            entry = self.last
            self.add("Sigmoid", f"{name}_sigmoid")
            self.add("Mul", name, entry)
        elif operator:
            self.add(operator, name)

    def twice(self, name: str, mode: str = "nearest") -> None:
        """Adds upsampling to twice as many rows and columns: of nearest neighbours, or "linear" or "cubic"."""
        scales = self.weight(f"{name}_scales", np.array([1, 1, 2, 2], np.float32))
        nearest = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        how = nearest if mode == "nearest" else {"coordinate_transformation_mode": "half_pixel"}
        self.add("Resize", name, "", scales, mode=mode, **how)

    def deconv(self, name: str, weights: Floats, bias: Floats, **attributes: Any) -> None:
        """Adds a transposed convolution; weights are IOHW."""
        names = [self.weight(f"{name}_w", weights), self.weight(f"{name}_b", bias)]
        self.add("ConvTranspose", name, *names, kernel_shape=list(weights.shape[2:]), **attributes)

    def model(self, outputs: Sequence[int], **more: Sequence[int]) -> onnx.ModelProto:
        """The checked model; the last result is its output.

        Args:
            outputs: shape of it.
            **more: results that are outputs before it, with their shapes.
        """
        shapes = {**more, self.last: outputs}
        results = [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(s)) for n, s in shapes.items()]
        graph = helper.make_graph(self._nodes, self._name, [self._input], results, self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        return model
