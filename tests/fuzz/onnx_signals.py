"""Random ONNX models of one-dimensional signals: what audio, biosignals and keywords are given to.

`signal_model(random)` gives a model with one input [1, C, L]. Its convolutions are causal (padded on the left, or on
both sides and cut), centred, dilated, strided, by channel or pointwise; between them stand activations, sums with what
was before, concatenations of channels, poolings, gates by the mean of a channel. It ends in a signal, or in classes.
"""

from __future__ import annotations

from random import Random

import numpy as np
import onnx

from tests.fuzz.onnx_graphs import model_of
from tests.fuzz.onnx_grower import GiveUp, Grower, Tensor


def signal_model(random: Random, causal: bool = False) -> onnx.ModelProto:
    """A random model of a signal; a causal one has for each sample of its output seen that sample and those before."""
    g = Grower(random, batch=True)
    x = g.input((1, random.choice([1, 1, 2, 3, 4]), random.randint(16, 48)))
    if g.chance(0.3):
        x = g.node("Mul", [x.name, g.constant(np.float32(0.5))], x.shape)
    for _ in range(random.randint(1, 4)):
        try:
            x = _block(g, x, causal)
        except GiveUp:
            break
    if not g.nodes:
        return signal_model(random, causal)
    return model_of(g, [x if causal or g.chance(0.4) else _classes(g, x)])


def _block(g: Grower, x: Tensor, causal: bool) -> Tensor:
    kinds = ["conv", "residual", "residual", "separable"]
    kinds += ["concat", "normalised"] if causal else ["pool", "gate", "concat", "normalised"]
    kind = g.random.choice(kinds)
    if kind == "pool":
        return _pool(g, x)
    y = _activated(g, conv(g, x, causal, groups=x.shape[1] if kind == "separable" else 1))
    if kind == "separable":
        return _activated(g, conv(g, y, causal, kernel=1))
    if kind == "gate":
        mean = g.node("GlobalAveragePool", [y.name], (*y.shape[:2], 1))
        return g.node("Mul", [y.name, g.node("Sigmoid", [mean.name], mean.shape).name], y.shape)
    if kind == "concat" and y.shape[2] == x.shape[2]:
        return g.node("Concat", [x.name, y.name], (1, x.shape[1] + y.shape[1], x.shape[2]), axis=1)
    if kind == "normalised":
        parts = [g.constant(np.abs(g.array((y.shape[1],))) + np.float32(0.5)) for _ in range(4)]
        return g.node("BatchNormalization", [y.name, *parts], y.shape)
    if kind == "residual":
        y = conv(g, y, causal, outputs=x.shape[1])
        if y.shape == x.shape:
            return _activated(g, g.node("Add", [x.name, y.name], x.shape))
    return y


def conv(g: Grower, x: Tensor, causal: bool = False, *, outputs: int = 0, kernel: int = 0, groups: int = 1) -> Tensor:
    """A convolution; of a causal network, or now and then, one that looks back only."""
    channels, length = x.shape[1:]
    outputs = channels if groups > 1 else outputs or g.random.choice([2, 3, 4, 8])
    kernel = kernel or g.random.randint(1, 4)
    dilation = g.random.choice([1, 1, 2, 3]) if kernel > 1 else 1
    reach = (kernel - 1) * dilation
    back = causal or g.chance(0.5)
    stride = 1 if causal or g.chance(0.7) else 2
    cut = stride == 1 and back and reach > 0 and g.chance(0.3)
    pads = [reach, reach if cut else 0] if back else [g.random.randint(0, reach), g.random.randint(0, reach)]
    if back and not cut and reach and g.chance(0.3):
        wide = [0, 0, pads[0], 0, 0, pads[1]]
        shape = (1, channels, length + sum(pads))
        x = g.node("Pad", [x.name, g.constant(np.array(wide, np.int64))], shape)
        length, pads = shape[2], [0, 0]
    room = length + sum(pads) - reach - 1
    if room < 0:
        raise GiveUp
    weights = g.array((outputs, channels // groups, kernel), (channels // groups * kernel) ** -0.5)
    operands = [x.name, g.constant(weights), *([g.constant(g.array((outputs,)))] if g.chance(0.7) else [])]
    attributes = {"strides": [stride], "dilations": [dilation], "pads": pads, "group": groups}
    y = g.node("Conv", operands, (1, outputs, room // stride + 1), kernel_shape=[kernel], **attributes)
    if cut:
        ends = [g.constant(np.array([n], np.int64)) for n in (0, -reach, 2)]
        y = g.node("Slice", [y.name, *ends], (*y.shape[:2], y.shape[2] - reach))
    return y


def _activated(g: Grower, x: Tensor) -> Tensor:
    kind = g.random.choice(["Relu", "Relu", "Tanh", "Sigmoid", ""])
    return g.node(kind, [x.name], x.shape) if kind else x


def _pool(g: Grower, x: Tensor) -> Tensor:
    kernel, stride = g.random.randint(2, 3), g.random.choice([1, 2])
    if x.shape[2] < kernel:
        raise GiveUp
    shape = (*x.shape[:2], (x.shape[2] - kernel) // stride + 1)
    kind = g.random.choice(["MaxPool", "AveragePool"])
    return g.node(kind, [x.name], shape, kernel_shape=[kernel], strides=[stride])


def _classes(g: Grower, x: Tensor) -> Tensor:
    """A dense layer on the mean of each channel, or on all samples."""
    y = g.node("GlobalAveragePool", [x.name], (*x.shape[:2], 1)) if g.chance(0.6) else x
    flat = g.node("Flatten", [y.name], (1, y.shape[1] * y.shape[2]))
    weights = g.array((flat.shape[1], 3), flat.shape[1] ** -0.5)
    return g.node("Gemm", [flat.name, g.constant(weights), g.constant(g.array((3,)))], (1, 3))
