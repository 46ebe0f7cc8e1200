"""Bias correction takes out mean errors."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.quantise.networks import Net, depthwise_net, images
from tinyc.backends.interpreter import run_module
from tinyc.ir import Module, Value, verify
from tinyc.ir.ops import Conv2d
from tinyc.ir.tensor import Array
from tinyc.passes.quantise import calibrate
from tinyc.passes.quantise.bias import CorrectBias
from tinyc.passes.quantise.insert import Quantise

SAMPLES = images(12, 1, 12, 12, 3)


def mean_errors(before: Module, after: Module, name: str) -> Array:
    """The mean over samples and places of quantised - float, for each channel, of a value before its limits."""

    def means(module: Module, called: str) -> Array:
        found: list[Array] = []

        def watch(value: Value, array: Array) -> None:
            if value.name == called:
                found.append(array.reshape(-1, array.shape[-1]).mean(axis=0, dtype=np.float64))

        for sample in SAMPLES:
            run_module(module, sample, watch)
        return np.mean(found, axis=0)

    return np.abs(means(after, f"{name}_float") - means(before, name))


@pytest.mark.parametrize("high", [np.inf, 1.0])
def test_mean_errors_shrink(high: float) -> None:
    module = depthwise_net(high, decades=1.5)
    quantised = Quantise(calibrate(module, SAMPLES, run_module, "min-max")).run(module)
    corrected = CorrectBias(module, SAMPLES, run_module).run(quantised)
    verify(corrected)
    assert corrected.inputs == module.inputs
    assert corrected.outputs == module.outputs
    # No limits follow the last layer, so there the mean error is gone but for the rounding of the bias.
    before, after = (mean_errors(module, m, "logits").max() for m in (quantised, corrected))
    assert before > 1e-3
    assert after < before / 10


def test_a_layer_without_a_bias_gets_one() -> None:
    net = Net(1, 6, 6, 3)
    w = net.constant(np.full((1, 1, 1, 3), 0.3) + np.array([0.0, 0.0011, 0.7]), "w")
    module = net.b.build([net.b.add(Conv2d(net.x, w), "y", "y")])
    samples = [[np.abs(s[0])] for s in images(6, 1, 6, 6, 3)]
    quantised = Quantise(calibrate(module, samples, run_module, "min-max")).run(module)
    corrected = CorrectBias(module, samples, run_module).run(quantised)
    layer = next(n for n in corrected.nodes if isinstance(n.op, Conv2d))
    assert layer.op.b is not None
    errors = []
    for tried in (quantised, corrected):
        pairs = [(run_module(module, s)[0], run_module(tried, s)[0]) for s in samples]
        errors.append(abs(float(np.mean([b - a for a, b in pairs]))))
    assert errors[1] < errors[0]


def test_nothing_to_correct() -> None:
    net = Net(1, 6, 6, 3)
    module = net.b.build([net.x])
    assert CorrectBias(module, images(1, 1, 6, 6, 3), run_module).run(module) is module
