"""Mobile-LeNet, whose trained weights are published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from benchmarks.networks.graph import Floats, Graph

MOBILE_LENET = ((8, 1), (8, 1), (16, 2), (16, 1), (24, 2), (24, 1))
"""Output channels and stride of Mobile-LeNet's depthwise-separable blocks."""


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


def lenet5(weights: Mapping[str, Floats]) -> onnx.ModelProto:
    """LeNet-5 as published for MNIST: rectified, with maxima of 2x2 pixels, and a bias in every layer.

    Args:
        weights: flat arrays w01 and w02 (convolutions, OIHW, of pixels 0..255), w03 to w05 (dense, [outputs, inputs],
            of channels last), b01 to b05.
    """
    g = Graph("lenet5", (1, 1, 28, 28))
    for number, (outputs, inputs, pad) in enumerate(((6, 1, 2), (16, 6, 0)), 1):
        kernel = weights[f"w{number:02d}"].reshape(outputs, inputs, 5, 5)
        scale = np.float32(255 if number == 1 else 1)
        g.conv(f"conv{number}", kernel * scale, weights[f"b{number:02d}"], pads=[pad] * 4)
        g.add("Relu", f"relu{number}")
        g.add("MaxPool", f"pool{number}", kernel_shape=[2, 2], strides=[2, 2])
    g.add("Transpose", "last", perm=[0, 2, 3, 1])
    g.add("Flatten", "flatten", axis=1)
    for number, (outputs, inputs) in enumerate(((120, 400), (84, 120), (10, 84)), 3):
        matrix = weights[f"w{number:02d}"].reshape(outputs, inputs)
        names = [g.weight(f"dense{number}_w", matrix), g.weight(f"dense{number}_b", weights[f"b{number:02d}"])]
        g.add("Gemm", f"dense{number}", *names, transB=1)
        if number < 5:
            g.add("Relu", f"relu{number}")
    return g.model((1, 10))
