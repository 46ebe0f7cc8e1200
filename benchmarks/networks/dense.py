"""DenseNet (Huang et al. 2017): each layer reads what all layers of its block before it have made."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from benchmarks.networks.graph import Graph


def densenet(
    blocks: Sequence[int] = (4, 4, 4), growth: int = 12, size: int = 32, classes: int = 10, seed: int = 0
) -> onnx.ModelProto:
    """A DenseNet-BC for small images, with activations before convolutions.

    Args:
        blocks: layers of each block; between blocks, half of the channels and of the rows and columns go on.
        growth: channels that each layer adds; 1x1 convolutions before the 3x3 ones have four times as many.
        size: of the square input of 3 channels, in pixels.
        classes: of the output.
        seed: of the weights.
    """
    g = Graph(f"densenet_{len(blocks)}x{blocks[0]}_{size}", (1, 3, size, size), seed)

    def before(name: str, channels: int) -> None:
        g.random_batch_norm(f"{name}_bn", channels)
        g.add("Relu", f"{name}_relu")

    channels = 2 * growth
    g.conv("stem", g.random(channels, 3, 3, 3), pads=[1, 1, 1, 1])
    for block, layers in enumerate(blocks, 1):
        for number in range(1, layers + 1):
            name, entry = f"block{block}_layer{number}", g.last
            before(f"{name}_narrow", channels)
            g.conv(f"{name}_narrow", g.random(4 * growth, channels, 1, 1))
            before(name, 4 * growth)
            g.conv(name, g.random(growth, 4 * growth, 3, 3), pads=[1, 1, 1, 1])
            fresh, g.last = g.last, entry
            g.add("Concat", f"{name}_all", fresh, axis=1)
            channels += growth
        if block < len(blocks):
            before(f"transition{block}", channels)
            g.conv(f"transition{block}", g.random(channels // 2, channels, 1, 1))
            g.add("AveragePool", f"transition{block}_pool", kernel_shape=[2, 2], strides=[2, 2])
            channels //= 2
    before("head", channels)
    g.add("GlobalAveragePool", "pool")
    g.add("Flatten", "flatten")
    g.add(
        "Gemm",
        "dense",
        g.weight("dense_w", g.random(classes, channels)),
        g.weight("dense_b", g.random_bias(classes)),
        transB=1,
    )
    return g.model((1, classes))
