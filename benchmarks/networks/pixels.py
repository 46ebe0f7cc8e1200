"""Networks whose output is an image: U-Net (Ronneberger et al. 2015) and ESPCN (Shi et al. 2016)."""

from __future__ import annotations

import onnx

from benchmarks.networks.graph import Graph


def _convolution(g: Graph, name: str, inputs: int, outputs: int, size: int = 3, groups: int = 1) -> None:
    """A convolution with its ReLU, that keeps the size."""
    weights, bias = g.random(outputs, inputs // groups, size, size), g.random_bias(outputs)
    g.conv(name, weights, bias, pads=[size // 2] * 4, group=groups)
    g.add("Relu", f"{name}_relu")


def unet(resolution: int = 64, width: int = 8, levels: int = 3, up: str = "nearest", seed: int = 0) -> onnx.ModelProto:
    """A U-Net: a mask of the image's size, 0..1.

    Args:
        resolution: of the square input of 3 channels, in pixels; divisible by two as often as there are levels.
        width: channels of the first level, each other has twice as many as the one above it.
        levels: how often rows and columns are halved.
        up: how they are doubled: by a "deconvolution" of 2x2 pixels, or upsampled ("nearest", "linear") and convolved.
        seed: of the weights.
    """
    g = Graph(f"unet_{resolution}", (1, 3, resolution, resolution), seed)
    inputs, passing = 3, list[str]()
    for level in range(levels + 1):
        outputs = width << level
        if level:
            g.add("MaxPool", f"down{level}_pool", kernel_shape=[2, 2], strides=[2, 2])
        _convolution(g, f"down{level}_conv1", inputs, outputs)
        _convolution(g, f"down{level}_conv2", outputs, outputs)
        passing.append(g.last)
        inputs = outputs
    for level in reversed(range(levels)):
        outputs = width << level
        if up == "deconvolution":
            g.deconv(f"up{level}", g.random(inputs, outputs, 2, 2), g.random_bias(outputs), strides=[2, 2])
        else:
            g.twice(f"up{level}_twice", up)
            _convolution(g, f"up{level}_conv0", inputs, outputs)
        g.add("Concat", f"up{level}_both", passing[level], axis=1)
        _convolution(g, f"up{level}_conv1", 2 * outputs, outputs)
        _convolution(g, f"up{level}_conv2", outputs, outputs)
        inputs = outputs
    g.conv("mask", g.random(1, inputs, 1, 1), g.random_bias(1))
    g.add("Sigmoid", "probabilities")
    return g.model((1, 1, resolution, resolution))


def espcn(resolution: int = 64, width: int = 16, blocks: int = 4, up: str = "pixels", seed: int = 0) -> onnx.ModelProto:
    """Super-resolution to twice as many rows and columns: depthwise-separable blocks, then depth becomes space.

    Args:
        resolution: of the square input of 3 channels, in pixels.
        width: channels of its maps.
        blocks: depthwise and pointwise convolutions between the stem and the last convolution.
        up: "pixels", or how the maps are upsampled before the last convolution ("linear", "cubic").
        seed: of the weights.
    """
    g = Graph(f"espcn_{resolution}", (1, 3, resolution, resolution), seed)
    _convolution(g, "stem", 3, width)
    for number in range(1, blocks + 1):
        _convolution(g, f"block{number}_dw", width, width, groups=width)
        _convolution(g, f"block{number}_pw", width, width, 1)
    if up != "pixels":
        g.twice("twice", up)
    channels = 12 if up == "pixels" else 3
    g.conv("last", g.random(channels, width, 3, 3), g.random_bias(channels), pads=[1] * 4)
    if up == "pixels":
        g.add("DepthToSpace", "pixels", blocksize=2)
    return g.model((1, 3, 2 * resolution, 2 * resolution))


def pooled(size: int = 34, width: int = 32, classes: int = 10, seed: int = 0) -> onnx.ModelProto:
    """One 3x3 convolution of an RGB image, the mean over all its pixels, and a dense layer."""
    g = Graph(f"pooled_{size}", (1, 3, size, size), seed)
    g.conv("conv", g.random(width, 3, 3, 3), g.random_bias(width))
    g.add("Relu", "relu")
    g.add("GlobalAveragePool", "mean")
    g.add("Flatten", "flat")
    g.add(
        "Gemm",
        "dense",
        g.weight("dense_w", g.random(classes, width)),
        g.weight("dense_b", g.random_bias(classes)),
        transB=1,
    )
    return g.model((1, classes))
