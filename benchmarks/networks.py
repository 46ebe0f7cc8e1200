"""The networks that figures are quoted for, as ONNX models with seeded or given weights.

    python -m benchmarks.networks --list
    python -m benchmarks.networks resnet8 -o resnet8.onnx

They are written as exporters write them: batch norms, explicit pads and activations are nodes of their own, so that
the compiler has the same work as with a trained model.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Floats = NDArray[np.float32]
OPSET = 17
IR_VERSION = 8
MOBILENET_V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
"""Output channels at width 1.0 and stride of MobileNetV1's depthwise-separable blocks (Howard et al. 2017, table 1)."""
MOBILE_LENET = ((8, 1), (8, 1), (16, 2), (16, 1), (24, 2), (24, 1))
"""Output channels and stride of Mobile-LeNet's depthwise-separable blocks."""
MICRO_MOBILENET = {
    "pico": ((6, 2), (12, 2), (24, 2)),
    "nano": ((6, 2), (12, 2), (24, 2), (24, 2)),
    "micro": ((6, 1), (12, 2), (12, 1), (24, 2), (24, 1), (24, 2), (24, 1), (24, 2)),
    "milli": ((6, 1), (12, 2), (12, 1), (24, 2), (24, 1), (48, 2), (48, 1), (48, 2), (48, 1)),
    "base": ((6, 1), (12, 2), (12, 1), (24, 2), (24, 1), (48, 2), *((48, 1),) * 4, (96, 2), (96, 1)),
}
"""Output channels and stride of the depthwise-separable blocks of MicroMobileNet's five networks."""
RESNET8 = ((16, 1), (32, 2), (64, 2))
"""Channels and stride of ResNet-8's stacks (Banbury et al. 2021, MLPerf Tiny, image classification)."""
DATA = Path(os.environ.get("TINYC_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared") / "data"
"""Published weights, which are not part of the repository."""


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

    def add(self, operator: str, name: str, *weights: str, **attributes: object) -> None:
        """Adds a node that takes the last result and these weights."""
        self._nodes.append(helper.make_node(operator, [self.last, *weights], [name], name=name, **attributes))
        self.last = name

    def conv(self, name: str, weights: Floats, bias: Floats | None = None, **attributes: object) -> None:
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

    def model(self, outputs: Sequence[int]) -> onnx.ModelProto:
        """The checked model; the last result is its output."""
        result = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, list(outputs))
        graph = helper.make_graph(self._nodes, self._name, [self._input], [result], self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        return model


def mobilenet_v1(
    width: float,
    resolution: int,
    channels: int = 3,
    classes: int = 1000,
    seed: int = 0,
    weights: Mapping[str, Floats] | None = None,
) -> onnx.ModelProto:
    """MobileNetV1 as Keras has it: BN and ReLU6 after every convolution, padding (0, 1) before those of stride 2.

    Args:
        width: multiplier of all channel counts.
        resolution: of the square input, in pixels.
        channels: of the input.
        classes: of the output.
        seed: of the weights, where none are given.
        weights: by Keras layer (conv1, conv_dw_1, conv_pw_1, ..., conv_preds): kernels OIHW, and for each batch norm
            (conv1_bn, ...) its scale, bias, mean and variance as four rows; conv_preds_bias is the bias of the head.
    """
    g = Graph(f"mobilenet_v1_{width}_{resolution}", (1, channels, resolution, resolution), seed)

    def convolution(name: str, shape: tuple[int, ...], stride: int, groups: int = 1) -> None:
        if stride == 2:
            g.pad(f"{name}_pad", 0, 1)
        same = 1 if stride == 1 and shape[2] == 3 else 0
        kernel = g.random(*shape) if weights is None else weights[name]
        g.conv(name, kernel, strides=[stride] * 2, pads=[same] * 4, group=groups)
        if weights is None:
            g.random_batch_norm(f"{name}_bn", shape[0])
        else:
            g.batch_norm(f"{name}_bn", list(weights[f"{name}_bn"]))
        g.relu6(f"{name}_relu")

    inputs = int(32 * width)
    convolution("conv1", (inputs, channels, 3, 3), 2)
    for number, (base, stride) in enumerate(MOBILENET_V1, 1):
        outputs = int(base * width)
        convolution(f"conv_dw_{number}", (inputs, 1, 3, 3), stride, inputs)
        convolution(f"conv_pw_{number}", (outputs, inputs, 1, 1), 1)
        inputs = outputs
    g.add("GlobalAveragePool", "pool")
    if weights is None:
        g.conv("conv_preds", g.random(classes, inputs, 1, 1), np.zeros(classes, np.float32))
    else:
        g.conv("conv_preds", weights["conv_preds"], weights["conv_preds_bias"])
    g.reshape("reshape", 1, classes)
    g.add("Softmax", "probabilities", axis=-1)
    return g.model((1, classes))


def mobile_lenet(
    weights: Sequence[Floats],
    stem_bias: Floats,
    head_bias: Floats,
    norms: Sequence[Sequence[Floats]],
    channels: int = 1,
) -> onnx.ModelProto:
    """Mobile-LeNet with given weights, as published: stem, six blocks of (depthwise, pointwise), dense head.

    Args:
        weights: 14 arrays in order: convolutions OIHW (depthwise C1HW), dense [classes, 24].
        stem_bias: bias of the stem.
        head_bias: bias of the dense layer.
        norms: scale, bias, mean and variance of the 13 batch norms.
        channels: of the input.
    """
    g = Graph("mobile_lenet", (1, channels, 28, 28))
    kernels, vectors = iter(weights), iter(norms)

    def normed(name: str, bias: Floats | None = None, **attributes: object) -> None:
        g.conv(name, next(kernels), bias, **attributes)
        g.batch_norm(f"{name}_bn", next(vectors))
        g.add("Relu", f"{name}_relu")

    normed("stem", stem_bias, pads=[1, 1, 1, 1])
    inputs = 8
    for number, (outputs, stride) in enumerate(MOBILE_LENET, 1):
        if stride == 2:
            g.pad(f"block{number}_pad", 1, 1)
        same = [0 if stride == 2 else 1] * 4
        normed(f"block{number}_dw", strides=[stride] * 2, pads=same, group=inputs)
        normed(f"block{number}_pw")
        inputs = outputs
    g.add("GlobalAveragePool", "pool")
    g.add("Flatten", "flatten")
    head = next(kernels)
    g.add("Gemm", "dense", g.weight("dense_w", head), g.weight("dense_b", head_bias), transB=1)
    g.add("Softmax", "probabilities", axis=-1)
    return g.model((1, head.shape[0]))


def published_mobile_lenet(weights: Mapping[str, Floats], channels: int = 1) -> onnx.ModelProto:
    """Mobile-LeNet with weights by their published names.

    Args:
        weights: flat arrays w01 (stem), w02 to w13 (depthwise and pointwise in turn), w14 (dense, [classes, 24]);
            bn01 to bn13, each scale, bias, mean and variance one after the other; b01 (stem) and b02 (dense).
        channels: of the input.
    """
    shapes: list[tuple[int, ...]] = [(8, channels, 3, 3)]
    inputs = 8
    for outputs, _ in MOBILE_LENET:
        shapes += [(inputs, 1, 3, 3), (outputs, inputs, 1, 1)]
        inputs = outputs
    shapes.append((len(weights["b02"]), inputs))
    kernels = [weights[f"w{k:02d}"].reshape(shape) for k, shape in enumerate(shapes, 1)]
    norms = [np.split(weights[f"bn{k:02d}"], 4) for k in range(1, len(shapes))]
    return mobile_lenet(kernels, weights["b01"], weights["b02"], norms, channels)


def blood_mobile_lenet(weights: Mapping[str, Floats]) -> onnx.ModelProto:
    """Mobile-LeNet for BloodMNIST: 3 x 28 x 28 pixels, 8 classes; weights as `published_mobile_lenet` takes them."""
    return published_mobile_lenet(weights, channels=3)


def micro_mobilenet(name: str, seed: int = 0) -> onnx.ModelProto:
    """One of MicroMobileNet's float networks: 1 x 96 x 96 pixels, 10 classes, no batch norms, a bias in the head only.

    Args:
        name: pico, nano, micro, milli or base, in any case.
        seed: of the weights.
    """
    blocks = MICRO_MOBILENET[name.lower()]
    g = Graph(f"micro_mobilenet_{name.lower()}", (1, 1, 96, 96), seed)
    inputs = 3
    g.conv("stem", g.random(inputs, 1, 3, 3), strides=[3 if name.lower() == "pico" else 2] * 2)
    for number, (outputs, stride) in enumerate(blocks, 1):
        g.pad(f"block{number}_pad", 1, 1)
        g.conv(f"block{number}_dw", g.random(inputs, 1, 3, 3), strides=[stride] * 2, group=inputs)
        g.relu6(f"block{number}_dw_relu")
        g.conv(f"block{number}_pw", g.random(outputs, inputs, 1, 1))
        g.relu6(f"block{number}_pw_relu")
        inputs = outputs
    g.add("GlobalMaxPool", "pool")
    g.conv("head", g.random(10, inputs, 1, 1), g.random_bias(10))
    g.reshape("reshape", 1, 10)
    g.add("Softmax", "probabilities", axis=-1)
    return g.model((1, 10))


def resnet8(seed: int = 0) -> onnx.ModelProto:
    """MLPerf Tiny's ResNet-8 for CIFAR-10: 3 x 32 x 32 pixels, 10 classes, padding (0, 1) where the stride is 2."""
    g = Graph("resnet8", (1, 3, 32, 32), seed)

    def convolution(name: str, inputs: int, outputs: int, stride: int) -> None:
        before = 2 - stride
        kernel, bias = g.random(outputs, inputs, 3, 3), g.random_bias(outputs)
        g.conv(name, kernel, bias, strides=[stride] * 2, pads=[before, before, 1, 1])
        g.random_batch_norm(f"{name}_bn", outputs)

    inputs = 16
    convolution("stem", 3, inputs, 1)
    g.add("Relu", "stem_relu")
    for number, (outputs, stride) in enumerate(RESNET8, 1):
        entry = g.last
        convolution(f"stack{number}_conv1", inputs, outputs, stride)
        g.add("Relu", f"stack{number}_relu1")
        convolution(f"stack{number}_conv2", outputs, outputs, 1)
        main, g.last = g.last, entry
        if stride != 1:
            kernel, bias = g.random(outputs, inputs, 1, 1), g.random_bias(outputs)
            g.conv(f"stack{number}_shortcut", kernel, bias, strides=[stride] * 2)
        g.add("Add", f"stack{number}_add", main)
        g.add("Relu", f"stack{number}_relu2")
        inputs = outputs
    g.add("AveragePool", "pool", kernel_shape=[8, 8])
    g.add("Flatten", "flatten")
    g.add("Gemm", "dense", g.weight("dense_w", g.random(10, inputs)), g.weight("dense_b", g.random_bias(10)), transB=1)
    g.add("Softmax", "probabilities", axis=-1)
    return g.model((1, 10))


def published(folder: str) -> dict[str, Floats]:
    """The arrays of a folder of published weights, by name: weights.npz, or a text file an array.

    Raises:
        FileNotFoundError: the data is not there.
    """
    path = DATA / folder
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is missing (TINYC_TEST_DATA names the folder that has data/)")
    if (path / "weights.npz").exists():
        with np.load(path / "weights.npz") as found:
            return {name: found[name].astype(np.float32) for name in found.files}
    return {file.stem: np.loadtxt(file, dtype=np.float32) for file in sorted(path.glob("*.txt"))}


NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "mobile_lenet": lambda: published_mobile_lenet(published("noodle_mobile_lenet_mnist")),
    "blood_mobile_lenet": lambda: blood_mobile_lenet(published("noodle_mobile_lenet_bloodmnist")),
    "mobilenet_v1_0.25_96_gray": lambda: mobilenet_v1(0.25, 96, channels=1),
    "mobilenet_v1_0.25_96": lambda: mobilenet_v1(0.25, 96),
    "mobilenet_v1_0.25_224": lambda: mobilenet_v1(0.25, 224),
    "mobilenet_v1_0.5_224": lambda: mobilenet_v1(0.5, 224),
    "mobilenet_v1_1.0_224": lambda: mobilenet_v1(1.0, 224),
    "micro_mobilenet_pico": lambda: micro_mobilenet("pico"),
    "micro_mobilenet_nano": lambda: micro_mobilenet("nano"),
    "micro_mobilenet_micro": lambda: micro_mobilenet("micro"),
    "micro_mobilenet_milli": lambda: micro_mobilenet("milli"),
    "micro_mobilenet_base": lambda: micro_mobilenet("base"),
    "resnet8": resnet8,
}
"""What the command can write. The published weights are trained, all others seeded."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes one network to a file, or lists their names."""
    parser = argparse.ArgumentParser("python -m benchmarks.networks", description="Writes a network as ONNX.")
    parser.add_argument("name", nargs="?", choices=NETWORKS, metavar="NAME", help="which; see --list")
    parser.add_argument("-o", "--output", type=Path, help="the file to write; NAME.onnx by default")
    parser.add_argument("--list", action="store_true", help="list the names")
    chosen = parser.parse_args(arguments)
    if chosen.list:
        print("\n".join(NETWORKS))
        return
    if chosen.name is None:
        parser.error("which network? --list lists them")
    try:
        network = NETWORKS[chosen.name]()
    except FileNotFoundError as error:
        parser.error(str(error))
    onnx.save(network, chosen.output or Path(f"{chosen.name}.onnx"))


if __name__ == "__main__":
    main()
