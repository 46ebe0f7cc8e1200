"""ShuffleNet, version 2 (Ma et al. 2018): half of the channels pass by each block, and both halves are shuffled."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from benchmarks.networks.graph import Graph

SHUFFLENET_V2 = (4, 8, 4)
"""Blocks of the three stages, the first of each of stride 2 (Ma et al. 2018, table 5)."""


def shufflenet_v2(
    resolution: int = 96,
    widths: Sequence[int] = (24, 48, 96, 192, 256),
    repeats: Sequence[int] = SHUFFLENET_V2,
    classes: int = 10,
    seed: int = 0,
) -> onnx.ModelProto:
    """ShuffleNetV2 as PyTorch has it: channels are shuffled by reshape, transpose, reshape.

    Args:
        resolution: of the square input of 3 channels, in pixels; a multiple of 32.
        widths: channels of the stem, the stages and the last convolution: by default those of 0.5, but for the last.
        repeats: blocks of each stage.
        classes: of the output.
        seed: of the weights.
    """
    g = Graph(f"shufflenet_v2_{resolution}", (1, 3, resolution, resolution), seed)
    stem, *stages, last = widths
    g.layer("stem", g.random(stem, 3, 3, 3), stride=2)
    g.add("MaxPool", "pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    inputs, side = stem, resolution // 4
    for stage, (outputs, count) in enumerate(zip(stages, repeats, strict=True), 2):
        for number in range(1, count + 1):
            stride = 2 if number == 1 else 1
            side //= stride
            _block(g, f"stage{stage}_block{number}", inputs, outputs, stride)
            _shuffled(g, f"stage{stage}_block{number}", outputs, side)
            inputs = outputs
    g.layer("last", g.random(last, inputs, 1, 1))
    g.add("GlobalAveragePool", "mean")
    g.add("Flatten", "flatten")
    head = [g.weight("dense_w", g.random(classes, last)), g.weight("dense_b", g.random_bias(classes))]
    g.add("Gemm", "dense", *head, transB=1)
    return g.model((1, classes))


def _block(g: Graph, name: str, inputs: int, outputs: int, stride: int) -> None:
    """Both branches and their concatenation; at stride 1 one of them is half of the channels as they are."""
    inner = outputs // 2
    if stride == 1:
        g.split(f"{name}_left", f"{name}_right")
        left, entry, inputs = f"{name}_left", g.last, inner
    else:
        entry = g.last
        g.layer(f"{name}_left_dw", g.random(inputs, 1, 3, 3), stride=2, groups=inputs, activation="")
        g.layer(f"{name}_left_pw", g.random(inner, inputs, 1, 1))
        left = g.last
    g.last = entry
    g.layer(f"{name}_expand", g.random(inner, inputs, 1, 1))
    g.layer(f"{name}_dw", g.random(inner, 1, 3, 3), stride=stride, groups=inner, activation="")
    g.layer(f"{name}_pw", g.random(inner, inner, 1, 1))
    right, g.last = g.last, left
    g.add("Concat", f"{name}_both", right, axis=1)


def _shuffled(g: Graph, name: str, channels: int, side: int) -> None:
    """Channels of both halves by turns."""
    g.reshape(f"{name}_halves", 1, 2, channels // 2, side, side)
    g.add("Transpose", f"{name}_turns", perm=[0, 2, 1, 3, 4])
    g.reshape(f"{name}_shuffled", 1, channels, side, side)
