"""DS-CNN for keyword spotting, of MLPerf Tiny."""

from __future__ import annotations

import onnx

from benchmarks.networks.graph import Graph

CHANNELS = 64
BLOCKS = 4


def ds_cnn(seed: int = 0) -> onnx.ModelProto:
    """MLPerf Tiny's DS-CNN: 1 x 49 x 10 coefficients, 12 words (Zhang et al. 2017; Banbury et al. 2021).

    "Same" padding as TensorFlow has it: of 9 rows that the first window of 10x4 wants besides, 4 lie before.
    """
    g = Graph("ds_cnn", (1, 1, 49, 10), seed)

    def convolution(name: str, *shape: int, pads: tuple[int, ...], stride: int = 1, groups: int = 1) -> None:
        kernel, bias = g.random(*shape), g.random_bias(CHANNELS)
        g.conv(name, kernel, bias, strides=[stride] * 2, pads=list(pads), group=groups)
        g.random_batch_norm(f"{name}_bn", CHANNELS)
        g.add("Relu", f"{name}_relu")

    convolution("stem", CHANNELS, 1, 10, 4, pads=(4, 1, 5, 1), stride=2)
    for number in range(1, BLOCKS + 1):
        convolution(f"block{number}_dw", CHANNELS, 1, 3, 3, pads=(1, 1, 1, 1), groups=CHANNELS)
        convolution(f"block{number}_pw", CHANNELS, CHANNELS, 1, 1, pads=(0, 0, 0, 0))
    g.add("AveragePool", "pool", kernel_shape=[25, 5])
    g.add("Flatten", "flatten")
    head = [g.weight("dense_w", g.random(12, CHANNELS)), g.weight("dense_b", g.random_bias(12))]
    g.add("Gemm", "dense", *head, transB=1)
    g.add("Softmax", "probabilities", axis=-1)
    return g.model((1, 12))
