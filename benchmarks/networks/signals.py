"""Networks of one-dimensional signals: TCN (Bai et al. 2018)."""

from __future__ import annotations

import onnx

from benchmarks.networks.graph import Graph


def tcn(
    samples: int = 512, channels: int = 8, width: int = 32, blocks: int = 6, outputs: int = 4, seed: int = 0
) -> onnx.ModelProto:
    """A temporal convolutional network: residual blocks of two causal convolutions, dilated by 1, 2, 4, ...

    Args:
        samples: of the window.
        channels: of the input.
        width: channels of its maps.
        blocks: how many.
        outputs: channels of the output, of which each sample has its own.
        seed: of the weights.
    """
    g = Graph(f"tcn_{samples}", (1, channels, samples), seed)

    def convolution(name: str, shape: tuple[int, int, int], dilation: int = 1) -> None:
        before = (shape[2] - 1) * dilation
        g.conv(name, g.random(*shape), g.random_bias(shape[0]), pads=[before, 0], dilations=[dilation])

    convolution("stem", (width, channels, 1))
    g.add("Relu", "stem_relu")
    for number in range(1, blocks + 1):
        entry, dilation = g.last, 1 << (number - 1)
        convolution(f"block{number}_conv1", (width, width, 3), dilation)
        g.add("Relu", f"block{number}_relu1")
        convolution(f"block{number}_conv2", (width, width, 3), dilation)
        g.add("Add", f"block{number}_add", entry)
        g.add("Relu", f"block{number}_relu2")
    convolution("last", (outputs, width, 1))
    return g.model((1, outputs, samples))
