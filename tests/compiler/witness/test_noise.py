"""The noise of layers: what bias correction makes of numbers near a limit is none, what wrong weights make is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from tinyc.backends.interpreter import run_module
from tinyc.compiler.witness.noise import BEYOND, FEW, measure_noise
from tinyc.ir import Builder, DType, Module, TensorType
from tinyc.ir.module import made
from tinyc.ir.ops import Constant, Conv2d, DepthwiseConv2d
from tinyc.ir.ops.quantise import Dequantize, Quantize
from tinyc.ir.tensor import Array, Tensor
from tinyc.passes.quantise import quantise_module

CHANNELS = 64
RNG = np.random.default_rng(4)
SAMPLES = [[RNG.random((1, 8, 8, 4), np.float32)] for _ in range(6)]


def network() -> Module:
    """A depthwise layer of 64 channels whose results lie around its lower limit, 0."""
    b = Builder("m")
    x = b.input("x", TensorType((1, 8, 8, 4), DType.F32))
    weights = RNG.normal(size=(CHANNELS, 1, 1, 4)).astype(np.float32)
    wide = b.add(Conv2d(x, b.constant(weights), None, min=0.0))
    kernel = RNG.normal(size=(3, 3, CHANNELS)).astype(np.float32)
    bias = b.constant(np.zeros(CHANNELS, np.float32))
    return b.build([b.add(DepthwiseConv2d(wide, b.constant(kernel), bias, pads=(1,) * 4, min=0.0))])


def moved(module: Module, operand: int, by: Callable[[Dequantize], Array | int]) -> Module:
    """The quantised module with other integers of an operand of the depthwise layer, up or down by so many."""
    (layer,) = (found for n in module.nodes if (found := made(n, DepthwiseConv2d)) is not None)
    scaled = module.made(layer.op.operands[operand], Dequantize)
    assert scaled is not None
    integers = module.constant(scaled.op.x)
    assert integers is not None
    other = integers + RNG.choice([-1, 1], integers.shape) * by(scaled.op)
    nodes = (
        dataclasses.replace(n, op=Constant(Tensor(other.astype(integers.dtype)))) if n.result == scaled.op.x else n
        for n in module.nodes
    )
    return dataclasses.replace(module, nodes=tuple(nodes))


def beyond(floats: Module, module: Module) -> float:
    """Of the depthwise layer, dB beyond what is allowed."""
    found = measure_noise(floats, module, SAMPLES, lambda _: None)
    worst = max(found, key=lambda layer: layer.beyond)
    return worst.beyond - BEYOND - FEW / worst.channels**0.5


@pytest.fixture(scope="module")
def quantised() -> tuple[Module, Module]:
    found = quantise_module(network(), SAMPLES, run_module, equalise=False, rounding="nearest")
    return found.float_module, found.module


@pytest.mark.parametrize("steps", [0.0, 3.0, 6.0])
def test_a_correction_of_biases_is_no_noise(quantised: tuple[Module, Module], steps: float) -> None:
    """In steps of the result, whose limit half of the numbers are below."""
    floats, module = quantised
    (end,) = (q.op.scale for q in module.made_by(Quantize) if module.made(q.op.x, DepthwiseConv2d) is not None)
    shifted = moved(module, 2, lambda op: np.rint(steps * end / np.asarray(op.scale)).astype(np.int64))
    assert beyond(floats, shifted) < -2.0


def test_wrong_weights_are(quantised: tuple[Module, Module]) -> None:
    floats, module = quantised
    assert beyond(floats, moved(module, 1, lambda _: 6)) > 0.0
