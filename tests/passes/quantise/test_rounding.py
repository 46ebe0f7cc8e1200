"""Weights rounded for the least error of a layer's result."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.generate import Grower
from tests.passes.quantise.networks import depthwise_net, images
from tinyc.backends.interpreter import run_module
from tinyc.ir.draw import GiveUp
from tinyc.ir.errors import IRError
from tinyc.ir.module import made
from tinyc.ir.ops import Conv2d, Dense, DepthwiseConv2d
from tinyc.ir.ops.layer import LinearLayer, some_places
from tinyc.passes.core.base import PassError
from tinyc.passes.quantise import quantise_module
from tinyc.passes.quantise.moments import BLOCK, _Tally, measure_moments
from tinyc.passes.quantise.rounding import DAMPING, round_weights


def correlated(rng: np.random.Generator, inputs: int) -> np.ndarray:
    """Second moments of inputs that have much in common."""
    shared = rng.normal(size=(3 * inputs, 2)) @ rng.normal(size=(2, inputs))
    mixed = shared + 0.2 * rng.normal(size=(3 * inputs, inputs))
    return mixed.T @ mixed / len(mixed)


def noise(q: np.ndarray, u: np.ndarray, second: np.ndarray) -> np.ndarray:
    damped = second + DAMPING * np.trace(second) / len(second) * np.eye(len(second))
    return np.einsum("oi,ij,oj->o", q - u, damped, q - u)


@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 12), st.sampled_from([7, 127]))
def test_no_output_is_worse_than_with_the_nearest(seed: int, outputs: int, inputs: int, limit: int) -> None:
    rng = np.random.default_rng(seed)
    scales = np.exp(rng.normal(size=(outputs, 1)))
    u = rng.uniform(-limit, limit, (outputs, inputs))
    second = correlated(rng, inputs)
    q = round_weights(u * scales, scales, second, limit)
    assert q.shape == u.shape
    assert np.abs(q).max() <= limit
    assert (np.abs(q - u) < 1 + 1e-9).all()
    nearest = noise(np.clip(np.rint(u), -limit, limit), u, second)
    assert (noise(q, u, second) <= nearest * (1 + 1e-9) + 1e-12).all()
    assert (q == round_weights(u * scales, scales, second, limit)).all()


def test_correlated_inputs_gain_and_others_have_the_nearest() -> None:
    rng = np.random.default_rng(0)
    u, second = rng.uniform(-100, 100, (50, 16)), correlated(rng, 16)
    q = round_weights(u, np.ones((50, 1)), second, 127)
    assert noise(q, u, second).mean() < 0.25 * noise(np.rint(u), u, second).mean()
    for alike in (np.eye(16), np.zeros((16, 16))):
        assert (round_weights(u, np.ones((50, 1)), alike, 127) == np.rint(u)).all()


def test_groups_are_rounded_by_themselves() -> None:
    rng = np.random.default_rng(1)
    u = rng.uniform(-7, 7, (3, 4, 5))
    second = np.stack([correlated(rng, 5) for _ in range(3)])
    found = round_weights(u, np.ones((3, 1, 1)), second, 7)
    for k in range(3):
        assert (found[k] == round_weights(u[k], np.ones((4, 1)), second[k], 7)).all()


def sampled(kind: Any, seed: int) -> Any:
    """A random operator of a class; what is drawn may not fit together."""
    for more in range(100):
        with suppress(IRError, GiveUp):
            return kind.sample(Grower(random.Random(1000 * seed + more)))
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", [Conv2d, DepthwiseConv2d, Dense])
@pytest.mark.parametrize("seed", range(12))
def test_what_weights_meet_makes_the_result(kind: Any, seed: int) -> None:
    op = sampled(kind, seed)
    rng = np.random.default_rng(seed)
    x, w = (rng.normal(size=v.shape).astype(v.dtype.numpy) for v in op.operands[:2])
    met = op.met(x, op.type.size)
    rows = op.by_output(w).astype(np.float64)
    assert (op.from_output(op.by_output(w)) == w).all()
    grouped = rows.reshape(len(met), -1, rows.shape[1])
    sums = np.einsum("gpi,goi->pgo", met.astype(np.float64), grouped).reshape(*op.type.shape)
    free = op.limited(-np.inf, np.inf).with_weights(op.w, None)
    np.testing.assert_allclose(sums, free.run([x, w]), rtol=1e-2 if x.dtype == np.float16 else 1e-4, atol=1e-3)
    few = op.met(x, 3)
    assert few.shape[1] == len(some_places(met.shape[1], 3)) <= 3


def test_moments_are_those_of_the_numbers() -> None:
    module = depthwise_net()
    samples = images(40, 1, 12, 12, 3)
    found = measure_moments(module, samples, run_module)
    layers = [layer for n in module.nodes if (layer := made(n, LinearLayer)) is not None]
    assert found.keys() == {layer.result for layer in layers}
    first = layers[0]
    met = np.concatenate([first.op.met(s[0], 10**6)[0] for s in samples]).astype(np.float64)
    (second,) = found[first.result].blocks
    np.testing.assert_allclose(np.diag(second[0]), met.var(axis=0), rtol=1e-9)
    sure = len(met) / (len(met) + met.shape[1])
    np.testing.assert_allclose(second[0][0, 1], np.cov(met.T, bias=True)[0, 1] * sure, rtol=1e-6)


def test_wide_layers_are_taken_in_blocks() -> None:
    tally = _Tally(1, BLOCK + 3)
    tally.see(np.random.default_rng(0).normal(size=(1, 8, BLOCK + 3)).astype(np.float32))
    assert [b.shape for b in tally.moments(centred=True).blocks] == [(1, BLOCK, BLOCK), (1, 3, 3)]


def test_a_network_is_rounded_within_a_step() -> None:
    module, samples = depthwise_net(), images(24, 1, 12, 12, 3)
    nearest, adaptive = (
        {n.result.name: q for n in made.nodes if (q := made.constant(n.result)) is not None and q.dtype == np.int8}
        for how in ("nearest", "adaptive")
        for made in [quantise_module(module, samples, run_module, rounding=how).module]
    )
    assert adaptive.keys() == nearest.keys()
    steps = [np.abs(q.astype(int) - nearest[name]) for name, q in adaptive.items()]
    assert max(s.max() for s in steps) == 1
    with pytest.raises(PassError, match="no rounding 'up'"):
        quantise_module(module, samples, run_module, rounding="up")
