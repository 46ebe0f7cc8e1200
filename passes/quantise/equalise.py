"""Cross-layer equalisation: the channels of a tensor between two layers are scaled to like ranges.

Nagel et al., "Data-free quantization through weight equalization and bias correction" (ICCV 2019), section 4.1: for
positive s, relu(x / s) = relu(x) / s, so a channel's weights and bias may be divided by s if the next layer's weights
for that channel are multiplied by s. With s = sqrt(r1 / r2), where r1 and r2 are the largest weights of the channel in
the first and in the second layer, both become sqrt(r1 * r2), and no channel wastes the tensor's range.

The paper has one scale for all weights of a layer. Here each output channel has its own, so that levelling weights is
worth less and may do harm. Where calibration data is given, each step goes only as far along the paper's direction (s
to a power of 0 to 1) as the quantisation noise estimated at the second layer's result falls.

An upper limit (ReLU6) is not scaled along: limits hold for all channels alike. Where the paper drops the limit, here it
stays, and so does every channel that reaches it on calibration data. Any other channel grows at most until its numbers
on calibration data are as large as those of the largest channel. So nothing changes on calibration data, and the
tensor's range does not grow, whatever the biases. Without calibration data, pairs with an upper limit are skipped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tinyc.ir.module import Module
from tinyc.ir.op import Value
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import Pass, Slack
from tinyc.passes.core.rewrite import tell
from tinyc.passes.quantise.calibrate import Run, Samples
from tinyc.passes.quantise.limits import before_limits, unlimited
from tinyc.passes.quantise.pairs import Pair, PairWeights, find_pairs
from tinyc.passes.quantise.ranges import STEPS, WEIGHT_LIMIT
from tinyc.passes.quantise.statistics import Statistics
from tinyc.passes.quantise.unseen import expected_largest

MOST_SWEEPS = 100
CONVERGED = 1e-3
"""A sweep that scales no channel by more than this is the last one."""
POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""How far along the paper's direction a step may go."""


@dataclass(frozen=True)
class Channels:
    """Of each channel of a value: the largest magnitude that it is taken to reach, and the mean of squares."""

    largest: Array
    square: Array

    def divided(self, s: Array) -> Channels:
        """The same of the value with its channels divided by s."""
        return Channels(self.largest / s, self.square / s**2)


@dataclass(frozen=True)
class EqualiseRanges(Pass, name="equalise-ranges"):
    """Scales channels between neighbouring layers to like ranges, which int8 needs in depthwise networks.

    Fields:
        seen: what was seen on calibration data of the results of layers of the module that is equalised, where known
            (see `see_channels`).
    """

    slack = Slack(1e-4, "weights times scales are rounded anew")

    seen: Mapping[Value, Channels] = field(default_factory=dict)

    def run(self, module: Module) -> Module:
        return self.equalised(module)[0]

    def equalised(self, module: Module) -> tuple[Module, Mapping[Value, Array]]:
        """The module, and by what the channels of layers' results were divided in it."""
        pairs = [p for p in find_pairs(module) if self._may_scale(p)]
        weights = PairWeights(module, pairs)
        seen = dict(self.seen)
        divided: dict[Value, Array] = {}
        for sweep in range(MOST_SWEEPS):
            moved = 0.0
            for pair in pairs:
                channels = seen.get(pair.first.result)
                s = _levelling(pair, weights)
                if channels is not None:
                    s = _helpful(pair, weights, channels, s)
                    seen[pair.first.result] = channels.divided(s)
                weights.scale(pair, s)
                divided[pair.first.result] = divided.get(pair.first.result, 1.0) * s
                moved = max(moved, float(np.abs(np.log(s)).max(initial=0.0)))
            if moved < CONVERGED:
                return (weights.module(), divided) if sweep else (module, {})
        return weights.module(), divided

    def _may_scale(self, pair: Pair) -> bool:
        if pair.first.op.max == math.inf or pair.first.result in self.seen:
            return True
        tell(f"{pair.first.where}: not equalised: it has an upper limit, and no calibration data says who reaches it")
        return False


def _levelling(pair: Pair, weights: PairWeights) -> Array:
    """By what to divide each channel between two layers so that both have like weights for it."""
    r1, r2 = weights.outgoing(pair.first), weights.incoming(pair.second)
    alive = (r1 > 0) & (r2 > 0)
    s: Array = np.ones(len(r1))
    s[alive] = np.sqrt(r1[alive] / r2[alive])
    return s


def _helpful(pair: Pair, weights: PairWeights, seen: Channels, s: Array) -> Array:
    """The factors raised to the power with which there is the least noise.

    Only the factors' ratios matter to int8, so the channel with the largest number seen keeps its scale; none grows
    beyond it, and none that reaches the first layer's upper limit is scaled.
    """
    largest = np.minimum(seen.largest, pair.first.op.max)
    top = int(np.argmax(largest))
    if largest[top] == 0:
        return np.ones(len(s))
    tried = []
    for power in POWERS:
        factors = np.maximum((s / s[top]) ** power, largest / largest[top])
        factors[largest >= pair.first.op.max] = 1.0
        tried.append(factors)
    return min(tried, key=lambda factors: _noise(pair, weights, seen, factors))


def _noise(pair: Pair, weights: PairWeights, seen: Channels, s: Array) -> float:
    """The noise-to-signal ratio at the second layer's result, the logarithm's mean over its channels.

    A rounding in steps of d adds d^2 / 12 to the mean of squares (Widrow and Kollar, Quantization Noise, 2008): weights
    in steps of an output channel's largest one / 127, the tensor between in steps of its range / 255.
    """
    w, square = weights.taken(pair, seen.square)
    _, factors = weights.taken(pair, s)
    scaled = w * factors[:, np.newaxis]
    signal = (w**2 * square[:, np.newaxis]).sum(axis=(1, 2))
    weight_step = np.abs(scaled).max(axis=(1, 2)) / WEIGHT_LIMIT
    step = float((seen.largest / s).max()) / STEPS
    noise = weight_step**2 * w.shape[1] * (square / factors**2).sum(axis=1) + step**2 * (scaled**2).sum(axis=(1, 2))
    there = signal > 0
    return float(np.log(noise[there] / signal[there]).mean()) if there.any() else 0.0


def see_channels(
    module: Module,
    samples: Samples,
    run: Run,
    headroom: bool = True,
    statistics: Mapping[Value, Statistics] | None = None,
) -> dict[Value, Channels]:
    """What is seen of the channels that `EqualiseRanges` may scale.

    Args:
        module: a float module.
        samples: calibration inputs.
        run: the interpreter.
        headroom: count on larger numbers than were seen: those that many inputs would show, and those that lie some
            deviations from the mean before the layer's limits, which tell of a channel that samples leave at a limit.
        statistics: means and deviations of layers' results before their limits; the samples' own by default.
    """
    results = {p.first.result.name: p.first.result for p in find_pairs(module)}
    found = {value: _Seen() for value in results.values()}

    def watch(value: Value, array: Array) -> None:
        flat = array.reshape(-1, array.shape[-1]).astype(np.float64) if array.ndim else array
        if value.name in results:
            found[results[value.name]].see(flat)
        elif (name := before_limits(value)) is not None and name in results:
            found[results[name]].see_before(flat)

    free = unlimited(module, set(results))
    for inputs in samples:
        run(free, inputs, watch)
    known = statistics or {}
    return {value: seen.channels(headroom, known.get(value)) for value, seen in found.items()}


class _Seen:
    """What samples show of the channels of a layer's result, and of them before its limits."""

    def __init__(self) -> None:
        self._largest: list[Array] = []
        self._square, self._mean, self._before = (np.zeros(()) for _ in range(3))

    def see(self, flat: Array) -> None:
        self._largest.append(np.abs(flat).max(axis=0))
        self._square = self._square + (flat**2).mean(axis=0)

    def see_before(self, flat: Array) -> None:
        self._mean = self._mean + flat.mean(axis=0)
        self._before = self._before + (flat**2).mean(axis=0)

    def channels(self, headroom: bool, known: Statistics | None) -> Channels:
        """What is known of the channels; see `see_channels`."""
        count = len(self._largest)
        largest, square = np.stack(self._largest), self._square / count
        if not headroom:
            return Channels(largest.max(axis=0), square)
        if known is None:
            mean = self._mean / count
            known = Statistics(mean, np.sqrt(np.maximum(self._before / count - mean**2, 0.0)))
        return Channels(np.maximum(expected_largest(largest), known.reach()[1]), square)
