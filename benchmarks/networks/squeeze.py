"""SqueezeNet (Iandola et al. 2016): fire modules, whose two expansions are concatenated."""

from __future__ import annotations

import onnx

from benchmarks.networks.graph import Graph

FIRES = ((16, 64), (16, 64), (0, 0), (32, 128), (32, 128), (0, 0), (48, 192), (64, 256))
"""Channels that each fire module squeezes to and that each of its expansions has; 0 is a pooling of stride 2."""


def squeezenet(
    resolution: int = 96, fires: tuple[tuple[int, int], ...] = FIRES, classes: int = 10, seed: int = 0
) -> onnx.ModelProto:
    """A SqueezeNet 1.1 with a small stem, and a dense head.

    Args:
        resolution: of the square input of 3 channels, in pixels.
        fires: its modules, as `FIRES` has them.
        classes: of the output.
        seed: of the weights.
    """
    g = Graph(f"squeezenet_{resolution}", (1, 3, resolution, resolution), seed)

    def convolution(name: str, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        weights, bias = g.random(outputs, inputs, size, size), g.random_bias(outputs)
        g.conv(name, weights, bias, strides=[stride] * 2, pads=[size // 2] * 4)
        g.add("Relu", f"{name}_relu")

    def pool(name: str) -> None:
        g.add("MaxPool", name, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])

    convolution("stem", 3, 32, 3, 2)
    pool("stem_pool")
    inputs = 32
    for number, (squeezed, expanded) in enumerate(fires, 1):
        if not squeezed:
            pool(f"pool{number}")
            continue
        convolution(f"fire{number}_squeeze", inputs, squeezed, 1)
        entry = g.last
        convolution(f"fire{number}_expand1", squeezed, expanded, 1)
        narrow, g.last = g.last, entry
        convolution(f"fire{number}_expand3", squeezed, expanded, 3)
        wide, g.last = g.last, narrow
        g.add("Concat", f"fire{number}", wide, axis=1)
        inputs = 2 * expanded
    g.add("GlobalAveragePool", "mean")
    g.add("Flatten", "flatten")
    head = [g.weight("dense_w", g.random(classes, inputs)), g.weight("dense_b", g.random_bias(classes))]
    g.add("Gemm", "dense", *head, transB=1)
    return g.model((1, classes))
