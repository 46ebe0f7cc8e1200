"""Ranges, and the scaling of channels, where samples are few."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.networks.graph import Graph
from tests.passes.quantise.networks import Net, images
from tinyc.backends.interpreter import run_module
from tinyc.compiler.frontend import load_onnx
from tinyc.ir import Module
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import apply
from tinyc.passes.pipeline import tensor_passes
from tinyc.passes.quantise import Range, batch_norm_statistics, calibrate, quantise_module
from tinyc.passes.quantise.choose import worst_sqnr
from tinyc.passes.quantise.statistics import Statistics, layer_statistics
from tinyc.passes.quantise.unseen import REACH, USUAL, expected_largest
from tinyc.passes.quantise.widen import widened


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_no_less_is_expected_than_was_seen(largest: list[float]) -> None:
    expected = float(expected_largest(np.array(largest)))
    assert expected >= max(largest)
    assert expected <= max(largest) * (1 + REACH * math.sqrt(len(largest) + 1)) + 1e-9


def test_one_sample_says_little_and_many_say_all() -> None:
    assert float(expected_largest(np.array([2.0]))) == pytest.approx(2 * (1 + REACH * USUAL))
    rng = np.random.default_rng(0)
    seen = rng.normal(10, 1, 1000)
    for count, least, most in ((3, 12.0, 20.0), (30, 12.5, 16.0), (1000, 13.0, 13.9)):
        assert least < float(expected_largest(seen[:count])) < most
    channels = np.stack([seen, 0 * seen], axis=1)
    assert expected_largest(channels).tolist() == pytest.approx([float(expected_largest(seen)), 0.0])


def test_pixels_end_where_samples_do_and_other_numbers_do_not() -> None:
    net = Net(1, 12, 12, 3)
    y = net.conv(net.x, 4, "conv")
    module = net.b.build([y])
    (noise,) = images(1, 1, 12, 12, 3)
    pixels = [np.clip(noise[0], 0, 1)]
    (of_noise, of_pixels) = (calibrate(module, [s], run_module, "min-max") for s in (noise, pixels))
    assert of_noise[module.inputs[0]].beyond_high > 1.5
    assert of_pixels[module.inputs[0]].beyond_high == 1.0
    assert of_pixels[y].beyond_high > 1.5


def test_a_batch_norm_has_less_to_say_the_more_samples_there_are() -> None:
    known = Statistics(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    found = Range(-1.0, 2.0, -1.0, 2.0, 1.0, 1.5)
    assert (widened(found, 1, known).low, widened(found, 1, known).high) == (-11.0, 13.0)
    assert 3.0 < widened(found, 100, known).high < 3.5
    wide = Range(-100.0, 200.0, -100.0, 200.0)
    assert widened(wide, 1, known) == wide


def normed(path: str, seed: int = 0) -> tuple[Module, Module]:
    """A network of two layers whose batch norms have the statistics of normally distributed images, imported and behind
    the passes over tensors."""
    rng = np.random.default_rng(seed)
    g = Graph("normed", (1, 3, 16, 16))
    x = rng.normal(size=(64, 3, 16, 16))
    channels = 3
    for name, outputs in (("one", 12), ("two", 6)):
        w = g.random(outputs, channels, 1, 1)
        y = np.einsum("oi,nihw->nohw", w[:, :, 0, 0], x)
        mean, variance = y.mean(axis=(0, 2, 3)), y.var(axis=(0, 2, 3))
        scale = np.exp(rng.uniform(-3, 0, outputs))
        bias = rng.normal(0, 0.3, outputs) * scale
        g.conv(name, w)
        g.batch_norm(f"{name}_bn", [v.astype(np.float32) for v in (scale, bias, mean, variance)])
        g.add("Relu", f"{name}_relu")
        y = (y - mean[:, None, None]) / np.sqrt(variance + 1e-3)[:, None, None] * scale[:, None, None]
        x, channels = np.maximum(y + bias[:, None, None], 0), outputs
    onnx.save(g.model((1, 6, 16, 16)), path)
    imported = load_onnx(path, input_layout="nhwc").module
    module = imported
    for step in tensor_passes():
        after = apply(step, module)
        assert isinstance(after, Module)
        module = after
    return imported, module


def normal(count: int, seed: int = 5) -> list[list[Array]]:
    return [[s[0].astype(np.float32)] for s in np.random.default_rng(seed).normal(size=(count, 1, 1, 16, 16, 3))]


def test_batch_norms_tell_of_layers(tmp_path: pytest.TempPathFactory) -> None:
    imported, module = normed(f"{tmp_path}/net.onnx")
    norms = batch_norm_statistics(imported)
    assert norms.keys() == {"one_bn", "two_bn"}
    known = layer_statistics(module, norms, normal(4), run_module)
    assert {v.name for v in known} == {layer.result.name for layer in module.made_by(LinearLayer)}
    seen: dict[str, list[Array]] = {}
    for sample in normal(50):
        run_module(module, sample, lambda v, a: seen.setdefault(v.name, []).append(a))
    for value, found in known.items():
        # Above 0 the numbers are those before the limit: about normally distributed ones with these moments.
        middle = np.stack(seen[value.name]).reshape(-1, len(found.mean))
        above = found.mean > 2 * found.deviation
        np.testing.assert_allclose(middle.mean(axis=0)[above], found.mean[above], rtol=0.1)
    assert not layer_statistics(module, norms, [[255 * s[0] + 300] for s in normal(4)], run_module)


def test_one_sample_is_enough_where_batch_norms_tell_the_rest(tmp_path: pytest.TempPathFactory) -> None:
    imported, module = normed(f"{tmp_path}/net.onnx")
    norms = batch_norm_statistics(imported)
    inputs = normal(40, seed=9)
    exact = [run_module(module, s) for s in inputs]

    def sqnr(**how: object) -> float:
        made = quantise_module(module, [[0.5 * normal(1)[0][0]]], run_module, **how).module  # type: ignore[arg-type]
        return worst_sqnr(exact, [run_module(made, s) for s in inputs])

    without, widened_only, both = sqnr(headroom=False), sqnr(), sqnr(norms=norms)
    assert without < widened_only - 3
    assert widened_only < both + 1
    assert both > 25
