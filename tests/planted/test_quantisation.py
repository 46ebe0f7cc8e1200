"""Faults in quantisation and in the arithmetic of integers, which interpreter and C share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from tests.planted.plant import Fault, on_call, on_result, ops_where, params
from tinyc.ir import Module, Value, fixed_point
from tinyc.ir.ops import Constant, Conv2d, QConv2d, QDepthwiseConv2d
from tinyc.ir.tensor import Array, Tensor
from tinyc.passes.integerise import Integerise
from tinyc.passes.quantise import bias, equalise, insert, narrow, scales
from tinyc.passes.quantise.equalise import EqualiseRanges
from tinyc.passes.quantise.ranges import BIAS_LIMIT


def ties_up(_: Any, x: Array, right: Any) -> Array:
    """x / 2^right with all ties rounded up."""
    wide, places = np.asarray(x, np.int64), np.asarray(right, np.int64)
    half = np.where(places > 0, np.int64(1) << np.maximum(places - 1, 0), 0)
    return np.asarray((wide + half) >> places)


def is_padded(op: Any) -> bool:
    return isinstance(op, (QConv2d, QDepthwiseConv2d)) and any(op.pads) and op.zero != 0


def pads_of(change: Callable[[int], int]) -> Any:
    return on_result(Integerise, ops_where(is_padded, lambda op: dataclasses.replace(op, zero=change(op.zero))))


def larger_multipliers(original: Any, factors: Array) -> Any:
    return original(factors) * 102 // 100


def moved_bias(original: Any, begin: Array, rows: Array, factors: Array, zero: int) -> Any:
    """Half a step of the result more than it should be."""
    found = original(begin, rows, factors, zero)
    return None if found is None else found + np.rint(0.5 / factors)


def coarse_bytes(original: Any, *arguments: Any) -> Any:
    return original(*arguments) * np.float32(1.2)


def wrong_correction(original: Any, module: Module, biases: Mapping[Value, Array]) -> Module:
    """Every correction times -4."""
    found = {}
    for value, corrected in biases.items():
        node = module.producer[value]
        old = np.rint(bias.real_bias(module, node) / bias.sum_scales(module, node))
        found[value] = (old - 4 * (corrected - old)).astype(np.int32)
    return original(module, found)


def floor_bias(_: Any, array: Array, scale: Array) -> Array:
    return np.clip(np.floor(array.astype(np.float64) / scale), -BIAS_LIMIT, BIAS_LIMIT).astype(np.int32)


def quarter(original: Any, *arguments: Any) -> Any:
    return original(*arguments) / np.float32(4)


def one_side(original: Any, *arguments: Any) -> Any:
    """The weights of the first layer are 30 times larger, and nothing undoes that."""
    module, divided = original(*arguments)
    weights = next(n.op.w for n in module.nodes if isinstance(n.op, Conv2d))
    nodes = [
        dataclasses.replace(n, op=Constant(Tensor(n.op.data.array * np.float32(30))))
        if n.result == weights and isinstance(n.op, Constant)
        else n
        for n in module.nodes
    ]
    return dataclasses.replace(module, nodes=tuple(nodes)), divided


def one_channel(original: Any, *arguments: Any) -> Array:
    """The first channel between two layers is made 30 times smaller than it should be, and multiplied up after."""
    s = np.array(original(*arguments))
    s[0] *= 30.0
    return s


FAULTS = [
    Fault("ties", on_call(fixed_point, "rounding_shift", ties_up), "requantise: the sum"),
    Fault(
        "truncated",
        on_call(fixed_point, "rounding_shift", lambda _, x, right: np.asarray(x, np.int64) >> right),
        "requantise: the sum",
    ),
    Fault("pads of 0", pads_of(lambda _: 0), "pass integerise: .*stem"),
    Fault("pads of one more", pads_of(lambda zero: zero + 1), "pass integerise: .*stem"),
    Fault("multiplier x 1.02", on_call(fixed_point, "byte_multipliers", larger_multipliers), "pass integerise: .*stem"),
    Fault("bias correction x -4", on_call(bias, "with_biases", wrong_correction), "layer"),
    Fault(
        "bias floor",
        on_call(insert, "quantise_bias", floor_bias),
        "layer",
        quantising={"correct_bias": False},
    ),
    Fault("corrected bias floor", on_call(bias, "quantise_bias", floor_bias), "layer"),
    Fault("narrowed bias half a step off", on_call(narrow, "_of_16_bits", moved_bias), "layer"),
    Fault("scales for bytes too coarse", on_call(insert, "in_bytes", coarse_bytes), "layer"),
    Fault("weight scales / 4", on_call(scales, "weight_scales", quarter), "layer"),
    Fault("equalisation x 30 on one side", on_call(EqualiseRanges, "equalised", one_side), "equalise-ranges"),
    Fault(
        "equalisation x 30 of a channel",
        on_call(equalise, "_helpful", one_channel),
        "equalise-ranges|equalisation makes the noise",
    ),
]


@pytest.mark.parametrize("fault", params([dataclasses.replace(f, int8=True) for f in FAULTS], pytest.mark.slow))
def test_it_is_caught(fault: Fault, must_catch: Callable[[Fault], None]) -> None:
    must_catch(fault)
