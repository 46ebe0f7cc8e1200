"""Equalisation against what it claims: the same function, and no more noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyc.backends.interpreter import observe, run_module
from tinyc.compiler.verify import VerificationError
from tinyc.ir.module import Module, Node
from tinyc.ir.op import Value
from tinyc.ir.ops import Dense, DepthwiseConv2d
from tinyc.ir.ops.conv import Convolution
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
    for name, (node, level) in new.items():
        if name in old and level - old[name][1] > DECIBELS:
            raise VerificationError(
                f"layer {node.loc or name} ({node.op.mnemonic}): equalisation makes the noise of its int8 result "
                f"{level - old[name][1]:.1f} dB larger, where it is to make it smaller"
            )


def _noise(module: Module, samples: Sequence[Sequence[Array]]) -> dict[str, tuple[Node, float]]:
    """Of each layer with constant weights: noise over signal in dB, the mean over its channels.

    Roundings in steps of d add d^2 / 12 to the mean of squares: of the operand, steps of its range / 255; of weights,
    steps of the channel's largest / 127.
    """
    nodes = [n for n in module.nodes if isinstance(n.op, (Convolution, Dense)) and module.constant(n.op.w) is not None]
    wanted = {n.op.operands[0] for n in nodes}
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
    for node in nodes:
        x, w = node.op.operands[0], module.constant(node.op.operands[1])
        if x in ranges and w is not None:
            found[node.result.name] = node, _level(node, w.astype(np.float64), ranges[x], squares[x] / len(samples))
    return found


def _level(node: Node, w: Array, limits: tuple[float, float], square: Array) -> float:
    op = node.op
    if isinstance(op, DepthwiseConv2d):
        rows = np.moveaxis(w, 2, 0).reshape(w.shape[2], -1, 1)
        met = np.repeat(square, w.shape[2] // square.size)[:, np.newaxis]
    else:
        rows = w.reshape(w.shape[0], -1, w.shape[-1])
        groups = square.size // w.shape[-1]
        met = square.reshape(groups, -1)[np.arange(w.shape[0]) * groups // w.shape[0]]
    signal = (rows**2 * met[:, np.newaxis]).sum(axis=(1, 2))
    step = (limits[1] - limits[0]) / STEPS
    weight_step = np.abs(rows).max(axis=(1, 2)) / WEIGHT_STEPS
    noise = step**2 * (rows**2).sum(axis=(1, 2)) + weight_step**2 * rows.shape[1] * met.sum(axis=1)
    there = (signal > 0) & (noise > 0)
    return float(10 * np.log10(noise[there] / signal[there]).mean()) if there.any() else 0.0
