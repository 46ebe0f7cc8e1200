"""Equalisation against what it claims: the same function, and no more noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyc.backends.interpreter import observe, run_module
from tinyc.compiler.verify import VerificationError
from tinyc.ir.module import Made, Module
from tinyc.ir.op import Value
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array
from tinyc.passes.core.manager import CompareMeaning
from tinyc.passes.quantise.equalise import EqualiseRanges

DECIBELS = 3.0
"""By which a layer's noise may grow: the pass chooses factors by the ranges of all calibration data and for the layer
behind them, and this looks at some of the data and at each layer. On eight samples of it layers grew by 0.5 dB at most;
on two, whose ranges say little, by 1.6."""
STEPS, WEIGHT_STEPS = 255, 127


def check_equalisation(before: Module, after: Module, samples: Sequence[Sequence[Array]]) -> None:
    """Compares the module before and after on samples, and the noise that int8 would make of each layer.

    Raises:
        PassVerificationError: it computes something else.
        VerificationError: a layer's noise has grown; the message names the layer.
    """
    if before is after:
        return
    CompareMeaning(observe, samples).after(EqualiseRanges(), before, after)
    old, new = _noise(before, samples), _noise(after, samples)
    for name, (layer, level) in new.items():
        if name in old and level - old[name][1] > DECIBELS:
            raise VerificationError(
                f"layer {layer.node.loc or name} ({layer.op.mnemonic}): equalisation makes the noise of its int8 "
                f"result {level - old[name][1]:.1f} dB larger, where it is to make it smaller"
            )


def _noise(module: Module, samples: Sequence[Sequence[Array]]) -> dict[str, tuple[Made[LinearLayer], float]]:
    """Of each layer with constant weights: noise over signal in dB, the mean over its channels.

    Roundings in steps of d add d^2 / 12 to the mean of squares: of the operand, steps of its range / 255; of weights,
    steps of the channel's largest / 127.
    """
    layers = [(layer, w) for layer in module.made_by(LinearLayer) if (w := module.constant(layer.op.w)) is not None]
    wanted = {layer.op.x for layer, _ in layers}
    squares: dict[Value, Array] = {}
    ranges: dict[Value, tuple[float, float]] = {}

    def watch(value: Value, array: Array) -> None:
        if value in wanted:
            flat = array.reshape(-1, array.shape[-1]).astype(np.float64)
            low, high = ranges.get(value, (0.0, 0.0))
            ranges[value] = min(low, float(flat.min(initial=0.0))), max(high, float(flat.max(initial=0.0)))
            squares[value] = squares.get(value, 0.0) + (flat**2).mean(axis=0)

    for sample in samples:
        for value, array in zip(module.inputs, sample, strict=True):
            watch(value, array)
        run_module(module, sample, watch)
    found = {}
    for layer, w in layers:
        x = layer.op.x
        if x in ranges:
            level = _level(layer.op, w.astype(np.float64), ranges[x], squares[x] / len(samples))
            found[layer.result.name] = layer, level
    return found


def _level(op: LinearLayer, w: Array, limits: tuple[float, float], square: Array) -> float:
    rows = op.by_output(w)
    met = op.by_output(np.broadcast_to(op.per_input(square), w.shape))
    signal = (rows**2 * met).sum(axis=1)
    step = (limits[1] - limits[0]) / STEPS
    weight_step = np.abs(rows).max(axis=1) / WEIGHT_STEPS
    noise = step**2 * (rows**2).sum(axis=1) + weight_step**2 * met.sum(axis=1)
    there = (signal > 0) & (noise > 0)
    return float(10 * np.log10(noise[there] / signal[there]).mean()) if there.any() else 0.0
