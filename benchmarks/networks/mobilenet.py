"""MobileNet, versions 1 and 2, as Keras has them: batch norms without biases, padding (0, 1) before stride 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from benchmarks.networks.graph import Floats, Graph

MOBILENET_V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
"""Output channels at width 1.0 and stride of MobileNetV1's depthwise-separable blocks (Howard et al. 2017, table 1)."""
MOBILENET_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, output channels at width 1.0, repeats and first stride of MobileNetV2's inverted residuals (Sandler et al.
2018, table 2)."""
LAST = 1280
"""Channels of MobileNetV2's last convolution, which widths below 1 leave as it is."""


def convolution(
    g: Graph,
    name: str,
    kernel: Floats,
    stride: int = 1,
    groups: int = 1,
    *,
    norm: Sequence[Floats] | None = None,
    relu6: bool = True,
) -> None:
    """Adds a convolution with its batch norm, a random one where none is given, and its ReLU6.

    A window of 3x3 gets rows and columns outside: one on each side, or, where the stride is 2, one behind.
    """
    if stride == 2:
        g.pad(f"{name}_pad", 0, 1)
    same = 1 if stride == 1 and kernel.shape[2] == 3 else 0
    g.conv(name, kernel, strides=[stride] * 2, pads=[same] * 4, group=groups)
    if norm is None:
        g.random_batch_norm(f"{name}_bn", kernel.shape[0])
    else:
        g.batch_norm(f"{name}_bn", norm)
    if relu6:
        g.relu6(f"{name}_relu")


def mobilenet_v1(
    width: float,
    resolution: int,
    channels: int = 3,
    classes: int = 1000,
    seed: int = 0,
    weights: Mapping[str, Floats] | None = None,
) -> onnx.ModelProto:
    """MobileNetV1: BN and ReLU6 after every convolution.

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

    def add(name: str, shape: tuple[int, ...], stride: int, groups: int = 1) -> None:
        kernel = g.random(*shape) if weights is None else weights[name]
        norm = None if weights is None else list(weights[f"{name}_bn"])
        convolution(g, name, kernel, stride, groups, norm=norm)

    inputs = int(32 * width)
    add("conv1", (inputs, channels, 3, 3), 2)
    for number, (base, stride) in enumerate(MOBILENET_V1, 1):
        outputs = int(base * width)
        add(f"conv_dw_{number}", (inputs, 1, 3, 3), stride, inputs)
        add(f"conv_pw_{number}", (outputs, inputs, 1, 1), 1)
        inputs = outputs
    g.add("GlobalAveragePool", "pool")
    if weights is None:
        g.conv("conv_preds", g.random(classes, inputs, 1, 1), np.zeros(classes, np.float32))
    else:
        g.conv("conv_preds", weights["conv_preds"], weights["conv_preds_bias"])
    g.reshape("reshape", 1, classes)
    g.add("Softmax", "probabilities", axis=-1)
    return g.model((1, classes))


def divisible(channels: float, by: int = 8) -> int:
    """The multiple of `by` nearest to a number of channels, at least `by` and no less than nine tenths of it."""
    near = max(by, int(channels + by / 2) // by * by)
    return near + by if near < 0.9 * channels else near


def mobilenet_v2(width: float, resolution: int, classes: int = 1000, seed: int = 0) -> onnx.ModelProto:
    """MobileNetV2: inverted residuals, whose last convolutions have no ReLU6, with seeded weights.

    Args:
        width: multiplier of all channel counts, which are then made divisible by 8.
        resolution: of the square input of 3 channels, in pixels.
        classes: of the output.
        seed: of the weights.
    """
    g = Graph(f"mobilenet_v2_{width}_{resolution}", (1, 3, resolution, resolution), seed)
    inputs = divisible(32 * width)
    convolution(g, "conv1", g.random(inputs, 3, 3, 3), 2)
    blocks = [
        (expansion, divisible(base * width), stride if k == 0 else 1)
        for expansion, base, repeats, stride in MOBILENET_V2
        for k in range(repeats)
    ]
    for number, (expansion, outputs, stride) in enumerate(blocks):
        entry, inner = g.last, inputs * expansion
        if expansion != 1:
            convolution(g, f"block{number}_expand", g.random(inner, inputs, 1, 1))
        convolution(g, f"block{number}_dw", g.random(inner, 1, 3, 3), stride, inner)
        convolution(g, f"block{number}_project", g.random(outputs, inner, 1, 1), relu6=False)
        if stride == 1 and inputs == outputs:
            g.add("Add", f"block{number}_add", entry)
        inputs = outputs
    last = max(LAST, divisible(LAST * width))
    convolution(g, "conv_last", g.random(last, inputs, 1, 1))
    g.add("GlobalAveragePool", "pool")
    g.add("Flatten", "flatten")
    head = [g.weight("dense_w", g.random(classes, last)), g.weight("dense_b", np.zeros(classes, np.float32))]
    g.add("Gemm", "dense", *head, transB=1)
    g.add("Softmax", "probabilities", axis=-1)
    return g.model((1, classes))
