"""Networks of signals that do not look ahead: each of their outputs is made of the samples up to it."""

from __future__ import annotations

import numpy as np
import onnx

from benchmarks.networks.graph import Graph

DILATIONS = (1, 2, 4, 8, 16, 32)


def causal_tcn(samples: int = 512, dilations: tuple[int, ...] = DILATIONS, seed: int = 0) -> onnx.ModelProto:
    """A temporal convolutional network of residual blocks (Bai et al. 2018), with 32 channels between 8 and 4: two
    convolutions of three samples in each, padded before the first sample alone."""
    g = Graph("causal_tcn", (1, 8, samples), seed)
    channels = 32

    def convolution(name: str, inputs: int, outputs: int, size: int = 1, dilation: int = 1) -> None:
        kernel, bias = g.random(outputs, inputs, size), g.random_bias(outputs)
        g.conv(name, kernel, bias, dilations=[dilation], pads=[(size - 1) * dilation, 0])

    convolution("entry", 8, channels)
    g.add("Relu", "entry_relu")
    for number, dilation in enumerate(dilations, 1):
        before = g.last
        convolution(f"block{number}_conv1", channels, channels, 3, dilation)
        g.add("Relu", f"block{number}_relu1")
        convolution(f"block{number}_conv2", channels, channels, 3, dilation)
        g.add("Add", f"block{number}_add", before)
        g.add("Relu", f"block{number}_relu2")
    convolution("scores", channels, 4)
    return g.model((1, 4, samples))


def gru_keywords(frames: int = 98, hidden: int = 64, seed: int = 0) -> onnx.ModelProto:
    """Keyword spotting by a GRU over frames of 40 coefficients (Zhang et al. 2017), two frames to one by a convolution
    before it: scores of 12 words for each two frames."""
    coefficients, words, steps = 40, 12, frames // 2
    g = Graph("gru_keywords", (1, frames, coefficients), seed)
    g.add("Transpose", "channels", perm=[0, 2, 1])
    g.conv("entry", g.random(32, coefficients, 4), g.random_bias(32), strides=[2], pads=[2, 0])
    g.add("Relu", "entry_relu")
    g.add("Transpose", "sequence", perm=[2, 0, 1])
    bound = hidden**-0.5
    shapes = {"w": (1, 3 * hidden, 32), "r": (1, 3 * hidden, hidden), "b": (1, 6 * hidden)}
    rng = np.random.default_rng(seed)
    weights = [g.weight(n, rng.uniform(-bound, bound, s).astype(np.float32)) for n, s in shapes.items()]
    g.add("GRU", "states", *weights, hidden_size=hidden, linear_before_reset=1)
    g.reshape("signal", 1, steps, hidden)
    g.add("MatMul", "products", g.weight("dense_w", g.random(words, hidden).T))
    g.add("Add", "scores", g.weight("dense_b", g.random_bias(words)))
    return g.model((1, steps, words))
