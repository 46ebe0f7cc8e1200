"""ResNet-8, of MLPerf Tiny."""

from __future__ import annotations

import onnx

from benchmarks.networks.graph import Graph

RESNET8 = ((16, 1), (32, 2), (64, 2))
"""Channels and stride of ResNet-8's stacks (Banbury et al. 2021, MLPerf Tiny, image classification)."""


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
