"""Small networks for MNIST that are trained here: a SqueezeNet-like one, and a MobileNetV2-like one with ReLU6.

    python -m benchmarks.accuracy.train --to FOLDER      (with PyTorch; minutes)

trains both, and leaves their weights as `FOLDER/<name>.npz`. This module makes ONNX of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from benchmarks.networks.graph import Floats, Graph

FIRES = ((12, 24), (12, 24), (16, 32), (16, 32))
"""Channels that each fire module squeezes to, and expands to on either side; the third takes half the resolution."""
STEM = 24
V2_STEM, V2_LAST, CLASSES = 16, 96, 10
V2_BLOCKS = ((1, 16, 1), (4, 24, 2), (4, 24, 1), (4, 32, 2), (4, 32, 1))
"""Expansion, output channels and stride of the inverted residuals."""
LARGEST_SCALE = 100.0
Weights = Mapping[str, Floats]


def trained_weights(name: str) -> dict[str, Floats]:
    """The weights that `benchmarks.accuracy.train` has left in the folder ACCURACY_MODELS names.

    Raises:
        FileNotFoundError: they are not there.
    """
    folder = Path(os.environ.get("ACCURACY_MODELS") or Path(__file__).parent / "models")
    path = folder / f"{name}.npz"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: `python -m benchmarks.accuracy.train` makes it, with PyTorch")
    with np.load(path) as found:
        return {key: found[key].astype(np.float32) for key in found.files}


def firenet(w: Weights) -> onnx.ModelProto:
    """A SqueezeNet of four fire modules; biases, and no batch norms."""
    g = Graph("firenet", (1, 1, 28, 28))

    def conv(name: str, source: str = "", **attributes: object) -> str:
        g.last = source or g.last
        kernel = w[f"{name}.weight"]
        g.conv(name, kernel, w[f"{name}.bias"], pads=[kernel.shape[2] // 2] * 4, **attributes)
        g.add("Relu", f"{name}_relu")
        return g.last

    conv("stem", strides=[2, 2])
    for number in range(len(FIRES)):
        if number == 2:
            g.add("MaxPool", "pool", kernel_shape=[2, 2], strides=[2, 2])
        squeezed = conv(f"fire{number}_squeeze")
        left = conv(f"fire{number}_left", squeezed)
        conv(f"fire{number}_right", squeezed)
        right, g.last = g.last, left
        g.add("Concat", f"fire{number}", right, axis=1)
    g.conv("head", w["head.weight"], w["head.bias"])
    g.add("GlobalAveragePool", "mean")
    g.add("Flatten", "logits", axis=1)
    return g.model((1, CLASSES))


def mobilenet_v2_small(w: Weights, scales: Mapping[str, Floats] | None = None) -> onnx.ModelProto:
    """A MobileNetV2 of five inverted residuals, with batch norms and ReLU6.

    Args:
        w: kernels and the four vectors of batch norms, by layer.
        scales: by layer with a ReLU6, what its channels are divided by; what takes them is multiplied with it. Where no
            channel reaches the limit, this changes nothing.
    """
    g = Graph("mobilenet_v2_small", (1, 1, 28, 28))
    given = scales or {}

    def conv(name: str, source: str = "", groups: int = 1, stride: int = 1, relu6: bool = True) -> None:
        kernel = w[f"{name}.0.weight"]
        if source in given:
            taken = given[source]
            kernel = kernel * (taken.reshape(-1, 1, 1, 1) if groups > 1 else taken.reshape(1, -1, 1, 1))
        g.conv(name, kernel, pads=[kernel.shape[2] // 2] * 4, strides=[stride] * 2, group=groups)
        scale, bias, mean, variance = (w[f"{name}.1.{k}"] for k in ("weight", "bias", "running_mean", "running_var"))
        by = given.get(name, np.ones_like(scale))
        g.batch_norm(f"{name}_bn", [scale / by, bias / by, mean, variance], epsilon=1e-5)
        if relu6:
            g.relu6(f"{name}_relu")

    conv("stem", stride=2)
    inputs, before = V2_STEM, "stem"
    for number, (expansion, outputs, stride) in enumerate(V2_BLOCKS):
        entry, inner = g.last, inputs * expansion
        if expansion > 1:
            conv(f"expand{number}", before)
            before = f"expand{number}"
        conv(f"dw{number}", before, groups=inner, stride=stride)
        conv(f"project{number}", f"dw{number}", relu6=False)
        if stride == 1 and inputs == outputs:
            g.add("Add", f"add{number}", entry)
        inputs, before = outputs, ""
    conv("last")
    g.add("GlobalAveragePool", "pool")
    g.add("Flatten", "flatten", axis=1)
    g.add("Gemm", "logits", g.weight("head_w", w["head.weight"]), g.weight("head_b", w["head.bias"]), transB=1)
    return g.model((1, CLASSES))


def unlike_scales(w: Weights, seed: int = 0) -> dict[str, Floats]:
    """For the inner channels of every inverted residual, scales of 1 to 100, evenly distributed in their logarithm."""
    random = np.random.default_rng(seed)
    names = [name.removesuffix(".0.weight") for name in w if name.startswith(("expand", "dw"))]
    inner = [name for name in dict.fromkeys(names) if f"{name}.0.weight" in w]
    return {
        name: np.exp(random.uniform(0, np.log(LARGEST_SCALE), len(w[f"{name}.0.weight"]))).astype(np.float32)
        for name in inner
    }
