"""Networks of inverted residuals with squeeze-and-excite: MobileNetV3 small, EfficientNet and EfficientNet-lite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx

from benchmarks.networks.graph import Graph
from benchmarks.networks.mobilenet import divisible


@dataclass(frozen=True)
class Block:
    """An inverted residual: size of its depthwise window, channels inside and of its result, whether it is squeezed and
    excited, its activation and its stride."""

    size: int
    inner: int
    outputs: int
    excited: bool
    activation: str
    stride: int


MOBILENET_V3_SMALL = (
    Block(3, 16, 16, True, "Relu", 2),
    Block(3, 72, 24, False, "Relu", 2),
    Block(3, 88, 24, False, "Relu", 1),
    Block(5, 96, 40, True, "HardSwish", 2),
    Block(5, 240, 40, True, "HardSwish", 1),
    Block(5, 240, 40, True, "HardSwish", 1),
    Block(5, 120, 48, True, "HardSwish", 1),
    Block(5, 144, 48, True, "HardSwish", 1),
    Block(5, 288, 96, True, "HardSwish", 2),
    Block(5, 576, 96, True, "HardSwish", 1),
    Block(5, 576, 96, True, "HardSwish", 1),
)
"""At width 1.0 (Howard et al. 2019, table 2)."""
EFFICIENTNET = (
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (5, 6, 40, 2, 2),
    (3, 6, 80, 3, 2),
    (5, 6, 112, 3, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)
"""Window, expansion, channels at width 1.0, repeats and first stride of the inverted residuals of EfficientNet-B0 and
EfficientNet-lite0 (Tan, Le 2019, table 1)."""


def mobilenet_v3_small(
    width: float = 0.5,
    resolution: int = 96,
    blocks: Sequence[Block] = MOBILENET_V3_SMALL,
    classes: int = 10,
    seed: int = 0,
) -> onnx.ModelProto:
    """MobileNetV3 small as PyTorch has it: hard sigmoids excite, hard-swish is an operator of its own.

    Args:
        width: multiplier of all channel counts, which are then made divisible by 8.
        resolution: of the square input of 3 channels, in pixels.
        blocks: its inverted residuals.
        classes: of the output.
        seed: of the weights.
    """
    g = Graph(f"mobilenet_v3_small_{width}_{resolution}", (1, 3, resolution, resolution), seed)
    inputs = divisible(16 * width)
    g.layer("stem", g.random(inputs, 3, 3, 3), stride=2, activation="HardSwish")
    for number, block in enumerate(blocks, 1):
        inner, outputs = divisible(block.inner * width), divisible(block.outputs * width)
        scaled = Block(block.size, inner, outputs, block.excited, block.activation, block.stride)
        _residual(g, f"block{number}", inputs, scaled, divisible(inner / 4), "HardSigmoid")
        inputs = outputs
    last = 6 * inputs
    g.layer("last", g.random(last, inputs, 1, 1), activation="HardSwish")
    g.add("GlobalAveragePool", "pool")
    g.add("Flatten", "flatten")
    hidden = [g.weight("hidden_w", g.random(last, last)), g.weight("hidden_b", g.random_bias(last))]
    g.add("Gemm", "hidden", *hidden, transB=1)
    g.add("HardSwish", "hidden_act")
    return _headed(g, last, classes)


def efficientnet(
    width: float = 0.35,
    resolution: int = 96,
    lite: bool = True,
    blocks: Sequence[tuple[int, int, int, int, int]] = EFFICIENTNET,
    classes: int = 10,
    seed: int = 0,
) -> onnx.ModelProto:
    """EfficientNet-lite (ReLU6, nothing squeezed), or EfficientNet (swish, and each block is squeezed and excited).

    Args:
        width: multiplier of all channel counts, which are then made divisible by 8.
        resolution: of the square input of 3 channels, in pixels.
        lite: which of both.
        blocks: its inverted residuals, as `EFFICIENTNET` has them.
        classes: of the output.
        seed: of the weights.
    """
    name = "efficientnet_lite" if lite else "efficientnet"
    activation = "Clip" if lite else "Swish"
    g = Graph(f"{name}_{width}_{resolution}", (1, 3, resolution, resolution), seed)
    inputs = divisible(32 * width)
    g.layer("stem", g.random(inputs, 3, 3, 3), stride=2, activation=activation)
    for stage, (size, expansion, base, repeats, first) in enumerate(blocks, 1):
        for number in range(1, repeats + 1):
            stride, outputs = first if number == 1 else 1, divisible(base * width)
            block = Block(size, expansion * inputs, outputs, not lite, activation, stride)
            _residual(g, f"stage{stage}_block{number}", inputs, block, max(inputs // 4, 1), "Sigmoid")
            inputs = outputs
    last = divisible(1280 * width)
    g.layer("last", g.random(last, inputs, 1, 1), activation=activation)
    g.add("GlobalAveragePool", "pool")
    g.add("Flatten", "flatten")
    return _headed(g, last, classes)


def _residual(g: Graph, name: str, inputs: int, block: Block, squeezed: int, gate: str) -> None:
    """Expansion, depthwise convolution, squeeze-and-excite, projection and, where the shapes agree, a sum."""
    entry = g.last
    if block.inner != inputs:
        g.layer(f"{name}_expand", g.random(block.inner, inputs, 1, 1), activation=block.activation)
    depthwise = g.random(block.inner, 1, block.size, block.size)
    g.layer(f"{name}_dw", depthwise, stride=block.stride, groups=block.inner, activation=block.activation)
    if block.excited:
        excited(g, f"{name}_se", block.inner, squeezed, block.activation if gate == "Sigmoid" else "Relu", gate)
    g.layer(f"{name}_project", g.random(block.outputs, block.inner, 1, 1), activation="")
    if block.stride == 1 and inputs == block.outputs:
        g.add("Add", f"{name}_add", entry)


def excited(g: Graph, name: str, channels: int, squeezed: int, activation: str, gate: str) -> None:
    """Squeeze-and-excite: each channel times a gate that the means of all channels decide (Hu et al. 2018)."""
    entry = g.last
    g.add("GlobalAveragePool", f"{name}_mean")
    g.conv(f"{name}_squeeze", g.random(squeezed, channels, 1, 1), g.random_bias(squeezed))
    g.activation(f"{name}_act", activation)
    g.conv(f"{name}_excite", g.random(channels, squeezed, 1, 1), g.random_bias(channels))
    slope = {"alpha": 1 / 6, "beta": 0.5} if gate == "HardSigmoid" else {}
    g.add(gate, f"{name}_gate", **slope)
    g.add("Mul", f"{name}_scaled", entry)


def _headed(g: Graph, inputs: int, classes: int) -> onnx.ModelProto:
    head = [g.weight("dense_w", g.random(classes, inputs)), g.weight("dense_b", g.random_bias(classes))]
    g.add("Gemm", "dense", *head, transB=1)
    return g.model((1, classes))
