"""Weights of 4 bits: rounding with error feedback, scales, which layers, and that the witness holds them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.passes.quantise.networks import Net
from tests.passes.quantise.test_quantise import images
from tinyc.backends.interpreter import run_module
from tinyc.compiler.session.flash import least_harm
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.weights import check_four_bits
from tinyc.ir import DType, Module, TensorType, Value, ops
from tinyc.ir.constant import fits_4_bits
from tinyc.ir.module import Node
from tinyc.ir.ops import Constant, Conv2d
from tinyc.ir.ops.quantise import Dequantize
from tinyc.ir.tensor import Array, Tensor
from tinyc.passes.core.base import PassError
from tinyc.passes.quantise import four_bits, moments, quantise_module
from tinyc.passes.quantise.moments import measure_moments
from tinyc.passes.quantise.rounding import round_weights
from tinyc.passes.quantise.sensitivity import noises
from tinyc.passes.quantise.units import find_units

LIMIT = four_bits.LIMIT


def rounded(w: Array, scales: Array, second: Array) -> Array:
    """Integers of 4 bits for weights [outputs, inputs], any of them for each."""
    return round_weights(w, scales[:, None], second, LIMIT, beside=False)


def nearest(w: Array, scales: Array) -> Array:
    return np.clip(np.rint(w / scales[:, None]), -LIMIT, LIMIT)


def squared_errors(off: Array, second: Array) -> Array:
    """The mean squared error of each output whose weights [outputs, inputs] are off by so much."""
    return np.einsum("oi,ij,oj->o", off, second, off)


def correlated(rng: np.random.Generator, inputs: int) -> Array:
    """Second moments of inputs that go together."""
    mixed = rng.normal(size=(3 * inputs, inputs)) @ rng.normal(size=(inputs, inputs))
    return mixed.T @ mixed / len(mixed)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 9), st.integers(1, 150), st.integers(0, 2**32 - 1))
def test_rounding_makes_no_output_noisier(outputs: int, inputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    w, second = rng.normal(size=(outputs, inputs)), correlated(rng, inputs)
    scales = np.abs(w).max(axis=1) / 7 + 1e-9
    found = rounded(w, scales, second)
    assert fits_4_bits(found.astype(np.int8))
    own = squared_errors(w - found * scales[:, None], second)
    simple = squared_errors(w - nearest(w, scales) * scales[:, None], second)
    assert (own <= simple * (1 + 1e-9)).all()


def test_rounding_by_moments_takes_most_of_the_noise() -> None:
    rng = np.random.default_rng(0)
    w, second = rng.normal(size=(16, 96)), correlated(rng, 96)
    scales = np.abs(w).max(axis=1) / 7
    own = squared_errors(w - rounded(w, scales, second) * scales[:, None], second).sum()
    simple = squared_errors(w - nearest(w, scales) * scales[:, None], second).sum()
    assert own < 0.4 * simple


def test_inputs_that_are_always_zero() -> None:
    w = np.random.default_rng(0).normal(size=(4, 6))
    found = rounded(w, np.full(4, 0.2), np.zeros((6, 6)))
    np.testing.assert_array_equal(found, nearest(w, np.full(4, 0.2)))


@pytest.mark.parametrize("groups", [1, 2])
def test_moments_are_those_of_windows(groups: int) -> None:
    """With them, the mean square of a layer's results is that of its weights."""
    net = Net(1, 7, 6, 4)
    w = net.constant(net.weights(8, 3, 2, 4 // groups, fan=8), "w")
    op = Conv2d(net.x, w, pads=(1, 0, 1, 1), strides=(2, 1), groups=groups)
    module = net.b.build([net.b.add(op, "conv", "conv")])
    samples = images(3, 1, 7, 6, 4)
    (seen,) = measure_moments(module, samples, run_module, centred=False, places=four_bits.PLACES).values()
    results = np.concatenate([run_module(module, s)[0].reshape(-1, 8) for s in samples])
    array = module.constant(w)
    assert array is not None
    count, rows = len(results), array.reshape(8, -1).astype(np.float64)
    sure = [np.where(np.eye(len(b[0])) > 0, 1.0, count / (count + len(b[0]))) for b in seen.blocks]
    whole = dataclasses.replace(seen, blocks=tuple(b / part for b, part in zip(seen.blocks, sure, strict=True)))
    squares = np.square(results, dtype=np.float64).mean(axis=0)
    np.testing.assert_allclose(whole.product(rows, rows), squares, rtol=1e-5)
    np.testing.assert_allclose(seen.mean(rows), results.mean(axis=0), rtol=1e-4, atol=1e-5)


def test_blocks_of_many_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "BLOCK", 5)
    module, samples = network()
    made = quantise_module(module, samples, run_module, four_bits=None)
    assert set(made.four_bits) == {"first", "second", "last"}
    assert check_four_bits(made.float_module, made.uncorrected, made.four_bits, samples) == 3


def network() -> tuple[Module, list[list[Array]]]:
    """conv -> depthwise -> conv -> dense."""
    net = Net(1, 8, 8, 3)
    x = net.conv(net.depthwise(net.conv(net.x, 8, "first"), "deep"), 9, "second", size=1)
    return net.b.build([net.dense(net.b.add(ops.ReduceMean(x, (1, 2)), "mean", "mean"), 6, "last")]), images(
        6, 1, 8, 8, 3
    )


def integers(module: Module) -> dict[str, Array]:
    """The quantised weights, by the name of the layer."""
    found = {}
    for node in module.nodes:
        if node.op.operands[1:] and (w := module.made(node.op.operands[1], Dequantize)) is not None:
            array = module.constant(w.op.x)
            assert array is not None
            found[node.loc] = array
    return found


def test_named_layers_alone() -> None:
    module, samples = network()
    weights = integers(quantise_module(module, samples, run_module, four_bits=("second",)).module)
    assert {name: fits_4_bits(w) for name, w in weights.items()} == {
        "first": False,
        "deep": False,
        "second": True,
        "last": False,
    }


@pytest.mark.parametrize(
    ("name", "kept", "why", "others"),
    [
        ("deep", (), "it has no weights that take less memory in 4 bits", "first, second, last"),
        ("scond", (), "there is none of this name", "first, second, last"),
        ("second", ("second",), "it stays float", "first, last"),
    ],
)
def test_what_cannot_have_4_bits(name: str, kept: tuple[str, ...], why: str, others: str) -> None:
    module, samples = network()
    with pytest.raises(PassError, match=f"'{name}' cannot have 4 bits: {why}; layers that can are {others}"):
        quantise_module(module, samples, run_module, four_bits=(name,), keep_float=kept)


def test_savings() -> None:
    module, _ = network()
    saved = {v.name: n for v, n in four_bits.candidates(module, find_units(module)).items()}
    # Whole blocks of four outputs: 8 of 8, 8 of 9, 4 of 6.
    assert saved == {"first": 8 * 27 // 2, "second": 8 * 8 // 2, "last": 4 * 9 // 2}


def with_integers(module: Module, change: Array, loc: str) -> Module:
    """The module with a layer's weights changed."""
    nodes = []
    target = next(
        module.made(n.op.operands[1], Dequantize) for n in module.nodes if n.loc == loc and len(n.op.operands) > 2
    )
    assert target is not None
    for node in module.nodes:
        array = module.constant(node.result)
        if node.result == target.op.x and array is not None:
            node = Node(node.result, Constant(Tensor((array + change).astype(np.int8))), node.loc)
        nodes.append(node)
    return dataclasses.replace(module, nodes=tuple(nodes))


def test_the_witness() -> None:
    module, samples = network()
    made = quantise_module(module, samples, run_module, four_bits=None)
    arguments = made.float_module, made.uncorrected, made.four_bits, samples
    assert check_four_bits(*arguments) == 3
    own = integers(made.uncorrected)["second"]
    wrong = with_integers(made.uncorrected, np.where(own < 0, 1, -1), "second")
    with pytest.raises(VerificationError, match=r"second.*its weights of 4 bits make noise"):
        check_four_bits(made.float_module, wrong, made.four_bits, samples)
    wide = with_integers(made.uncorrected, np.full_like(own, 9), "second")
    with pytest.raises(VerificationError, match=r"second.*not of 4 bits"):
        check_four_bits(made.float_module, wide, made.four_bits, samples)


def test_noise_at_the_outputs() -> None:
    module, samples = network()
    seen = measure_moments(module, samples, run_module, of=four_bits.candidates(module, find_units(module)))
    found = noises(module, seen, samples, run_module)
    assert len(found) == 3
    assert all(0 < noise < 0.2 for noise in found.values())


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1)), min_size=1, max_size=7), st.integers(1, 300))
def test_the_least_harm(layers: list[tuple[int, float]], wanted: int) -> None:
    values = [Value(f"v{k}", TensorType((), DType.F32)) for k in range(len(layers))]
    able = {v: saved for v, (saved, _) in zip(values, layers, strict=True)}
    harm = {v: each for v, (_, each) in zip(values, layers, strict=True)}
    chosen = least_harm(able, harm, wanted)
    if sum(able.values()) < wanted:
        assert chosen == values
        return
    assert sum(able[v] for v in chosen) >= wanted
    every = [[v for k, v in enumerate(values) if number >> k & 1] for number in range(2 ** len(values))]
    least = min(sum(harm[v] for v in some) for some in every if sum(able[v] for v in some) >= wanted)
    assert sum(harm[v] for v in chosen) == pytest.approx(least)
