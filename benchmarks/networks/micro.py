"""MicroMobileNet's five networks."""

from __future__ import annotations

import onnx

from benchmarks.networks.graph import Graph

MICRO_MOBILENET = {
    "pico": ((6, 2), (12, 2), (24, 2)),
    "nano": ((6, 2), (12, 2), (24, 2), (24, 2)),
    "micro": ((6, 1), (12, 2), (12, 1), (24, 2), (24, 1), (24, 2), (24, 1), (24, 2)),
    "milli": ((6, 1), (12, 2), (12, 1), (24, 2), (24, 1), (48, 2), (48, 1), (48, 2), (48, 1)),
    "base": ((6, 1), (12, 2), (12, 1), (24, 2), (24, 1), (48, 2), *((48, 1),) * 4, (96, 2), (96, 1)),
}
"""Output channels and stride of the depthwise-separable blocks of MicroMobileNet's five networks."""


def micro_mobilenet(name: str, seed: int = 0) -> onnx.ModelProto:
    """One of MicroMobileNet's float networks: 1 x 96 x 96 pixels, 10 classes, no batch norms, a bias in the head only.

    Args:
        name: pico, nano, micro, milli or base, in any case.
        seed: of the weights.
    """
    blocks = MICRO_MOBILENET[name.lower()]
    g = Graph(f"micro_mobilenet_{name.lower()}", (1, 1, 96, 96), seed)
    inputs = 3
    g.conv("stem", g.random(inputs, 1, 3, 3), strides=[3 if name.lower() == "pico" else 2] * 2)
    for number, (outputs, stride) in enumerate(blocks, 1):
        g.pad(f"block{number}_pad", 1, 1)
        g.conv(f"block{number}_dw", g.random(inputs, 1, 3, 3), strides=[stride] * 2, group=inputs)
        g.relu6(f"block{number}_dw_relu")
        g.conv(f"block{number}_pw", g.random(outputs, inputs, 1, 1))
        g.relu6(f"block{number}_pw_relu")
        inputs = outputs
    g.add("GlobalMaxPool", "pool")
    g.conv("head", g.random(10, inputs, 1, 1), g.random_bias(10))
    g.reshape("reshape", 1, 10)
    g.add("Softmax", "probabilities", axis=-1)
    return g.model((1, 10))
