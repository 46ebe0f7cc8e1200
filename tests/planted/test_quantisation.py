"""Faults in quantisation and in the arithmetic of integers, which interpreter and C share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.planted.plant import Fault, must_be_caught, on_call, on_result, ops_where, params
from tinyc.ir import Module, Value, fixed_point
from tinyc.ir.ops import QConv2d, QDepthwiseConv2d
from tinyc.ir.tensor import Array
from tinyc.passes.integerise import Integerise, layers
from tinyc.passes.quantise import bias, insert, scales
from tinyc.passes.quantise.pairs import PairWeights
from tinyc.passes.quantise.ranges import BIAS_LIMIT

WITNESS = "constants are not held against their definitions yet"
STAGES = "C layers that follow from floats are not compared yet where they are integers"


def ties_up(_: Any, x: Array, right: Any) -> Array:
    """x / 2^right with all ties rounded up."""
    wide, places = np.asarray(x, np.int64), np.asarray(right, np.int64)
    half = np.where(places > 0, np.int64(1) << np.maximum(places - 1, 0), 0)
    return np.asarray((wide + half) >> places)


def is_padded(op: Any) -> bool:
    return isinstance(op, (QConv2d, QDepthwiseConv2d)) and any(op.pads) and op.zero != 0


def pads_of(change: Callable[[int], int]) -> Any:
    return on_result(Integerise, ops_where(is_padded, lambda op: dataclasses.replace(op, zero=change(op.zero))))


def larger_multiplier(original: Any, factor: float, bound: int) -> Any:
    return original(factor * 1.02, bound)


def wrong_correction(original: Any, module: Module, biases: Mapping[Value, Array]) -> Module:
    """Every correction times -4."""
    found = {}
    for value, corrected in biases.items():
        node = module.producer[value]
        old = np.rint(bias._bias(module, node) / bias._scales(module, node))
        found[value] = (old - 4 * (corrected - old)).astype(np.int32)
    return original(module, found)


def floor_bias(_: Any, array: Array, scale: Array) -> Array:
    return np.clip(np.floor(array.astype(np.float64) / scale), -BIAS_LIMIT, BIAS_LIMIT).astype(np.int32)


def quarter(original: Any, *arguments: Any) -> Any:
    return original(*arguments) / np.float32(4)


def one_side(original: Any, weights: PairWeights, pair: Any, s: Array) -> None:
    """The layer after is multiplied by 30 more than the layer before is divided by."""
    original(weights, pair, s)
    key = (pair.second.result, 1)
    weights._arrays[key] = weights._arrays[key] * (30.0 if np.abs(np.log(s)).max() < 1e-3 else 1.0)


def one_channel(original: Any, weights: PairWeights, pair: Any, s: Array) -> None:
    """The first channel between two layers is made 30 times smaller than it should be, and multiplied up after."""
    s = s.copy()
    s[0] *= 30.0 if np.abs(np.log(s)).max() < 1e-3 else 1.0
    original(weights, pair, s)


FAULTS = [
    Fault("ties", on_call(fixed_point, "rounding_shift", ties_up), "layer", waits=STAGES),
    Fault(
        "truncated",
        on_call(fixed_point, "rounding_shift", lambda _, x, right: np.asarray(x, np.int64) >> right),
        "layer",
    ),
    Fault("pads of 0", pads_of(lambda _: 0), "layer|pass integerise"),
    Fault("pads of one more", pads_of(lambda zero: zero + 1), "layer", waits=WITNESS),
    Fault("multiplier x 1.02", on_call(layers, "multiplier", larger_multiplier), "layer", waits=WITNESS),
    Fault("bias correction x -4", on_call(bias, "_with_biases", wrong_correction), "layer", waits=WITNESS),
    Fault(
        "bias floor",
        on_call(insert, "quantise_bias", floor_bias),
        "layer",
        quantising={"correct_bias": False},
        waits=WITNESS,
    ),
    Fault("corrected bias floor", on_call(bias, "quantise_bias", floor_bias), "layer", waits=WITNESS),
    Fault("weight scales / 4", on_call(scales, "weight_scales", quarter), "layer", waits=WITNESS),
    Fault("equalisation x 30 on one side", on_call(PairWeights, "scale", one_side), "equalise-ranges", waits=WITNESS),
    Fault("equalisation x 30 of a channel", on_call(PairWeights, "scale", one_channel), "layer", waits=WITNESS),
]


@pytest.mark.slow
@pytest.mark.parametrize("fault", params([dataclasses.replace(f, int8=True) for f in FAULTS]))
def test_integers(fault: Fault, model_of: Callable[[float], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    must_be_caught(fault, model_of(fault.loud), monkeypatch)
