"""Ranges picked by the noise at the layers that take a tensor."""

from __future__ import annotations

import numpy as np

from tests.passes.quantise.networks import depthwise_net, images
from tinyc.backends.interpreter import run_module
from tinyc.ir import Builder, TensorType
from tinyc.ir.ops import Constant, Dense
from tinyc.ir.tensor import Tensor
from tinyc.ir.types import DType
from tinyc.passes.quantise import Range, calibrate, quantise_module
from tinyc.passes.quantise.pick import pick

SAMPLES = images(12, 1, 12, 12, 3)


def test_what_layers_look_at_decides() -> None:
    """Channel 0 is large and meets weights of 0, or weights like the others'."""
    for weight, best in ((0.0, 0), (1.0, 1)):
        b = Builder("net")
        x = b.input("x", TensorType((1, 4), DType.F32))
        w = b.add(Constant(Tensor(np.float32([[weight, 1, -1, 1]]))), "w")
        module = b.build([b.add(Dense(x, w), "y", "y")])
        rng = np.random.default_rng(0)
        samples = [[(rng.normal(size=(1, 4)) * [50, 1, 1, 1]).astype(np.float32)] for _ in range(200)]
        ways = [Range(-3, 3, -150, 150), Range(-150, 150, -150, 150)]
        found = pick(module, {x: ways}, samples, run_module)
        assert found[x] is ways[best]


def test_a_tensor_that_no_layer_takes_has_the_first() -> None:
    module = depthwise_net()
    ranges = [calibrate(module, SAMPLES, run_module, name) for name in ("mse", "min-max")]
    found = pick(module, {v: [way[v] for way in ranges] for v in ranges[0]}, SAMPLES, run_module)
    assert found.keys() == ranges[0].keys()
    (probabilities,) = module.outputs
    assert found[probabilities] is ranges[0][probabilities]


def test_the_whole_network() -> None:
    made = quantise_module(depthwise_net(), SAMPLES, run_module, observer="measured")
    assert min(layer.sqnr for layer in made.layers) > 28
