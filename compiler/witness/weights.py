"""Weights that are rounded for the result, not each to the nearest, against the nearest integers.

A weight by itself may be off by more than half a step. What holds instead: with the layer's own inputs on calibration
data, its results have no more noise than those of the nearest integers on the same scales.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.floats import LARGEST, QuantisedLayer, layers_of
from tinyc.ir.module import Module
from tinyc.ir.op import Value
from tinyc.ir.tensor import Array

DECIBELS = 1.0
"""By which a layer's noise may be above that of the nearest integers: integers are chosen by some places of all the
calibration data, and for new data too, and this looks at all places of some of it."""
SMALL = 1e-3
"""Steps of the result, of root mean square noise, that tell nothing."""
LOW, HIGH = -8, 7
MORE = 1.1
"""The same as `DECIBELS` for weights of 4 bits, as a factor: noise of some samples is not exactly that of all."""
SAMPLES = 32
ROUNDING = 1e-9
"""The part of a mean square by which a variance, which is the difference of two of its kind, may be wrong."""


def check_adaptive(float_module: Module, uncorrected: Module, samples: Sequence[Sequence[Array]]) -> None:
    """Measures what rounded weights add to each layer's result, less the mean of each channel, which the bias takes up.

    Args:
        float_module: what was quantised.
        uncorrected: the quantised module.
        samples: some of the calibration data.

    Raises:
        VerificationError: a layer has more noise than with the nearest integers; the message names the layer.
    """
    layers = list(layers_of(float_module, uncorrected))
    for layer, (own, nearest) in _wrong(float_module, layers, LARGEST, samples):
        step = layer.out_scale**2
        noise, allowed = own.variance / step, nearest.variance / step * 10 ** (DECIBELS / 10) + SMALL**2
        if noise > allowed:
            raise VerificationError(
                f"{layer.where}: its weights, rounded for its result, make {10 * math.log10(noise / allowed):.1f} dB "
                "more noise there than is allowed beside the nearest integers"
            )


def check_four_bits(
    float_module: Module,
    uncorrected: Module,
    names: Collection[str],
    samples: Sequence[Sequence[Array]],
    centred: bool = True,
) -> int:
    """The same for layers with weights of 4 bits, by the names of their results; the number of layers. `centred` leaves
    the mean of each channel aside, which biases take up.

    Raises:
        VerificationError: a weight has more than 4 bits, or a layer more noise; the message names the layer.
    """
    layers = [layer for layer in layers_of(float_module, uncorrected) if layer.name in names]
    for layer in layers:
        data, scale = layer.weights
        if data.min(initial=0) < LOW or data.max(initial=0) > HIGH:
            raise VerificationError(f"{layer.where}: its weights are {data.min()} to {data.max()}, not of 4 bits")
        if not np.isfinite(scale).all() or (scale <= 0).any():
            raise VerificationError(f"{layer.where}: the scales of its weights are {scale.min():.6g} and more")
    taken = samples[:: max(-(-len(samples) // SAMPLES), 1)]
    for layer, (own, nearest) in _wrong(float_module, layers, HIGH, taken):
        noise, simple = (n.variance if centred else n.mean_square for n in (own, nearest))
        if noise > MORE * simple + ROUNDING * own.mean_square:
            raise VerificationError(
                f"{layer.where}: its weights of 4 bits make noise of {noise:.3g}, the nearest integers {simple:.3g}"
            )
    return len(layers)


class _Noise:
    """What weights that are wrong by `error` make of a layer's result."""

    def __init__(self, layer: QuantisedLayer, error: Array) -> None:
        self._op, self._error = layer.before.op.limited(-math.inf, math.inf), error
        self._bias = np.zeros(self._op.type.shape[-1])
        self._count, self._sum, self._squares = 0, self._bias, self._bias

    def see(self, x: Array) -> None:
        """Takes in an operand."""
        wrong = self._op.evaluate(x.astype(np.float64), self._error, self._bias)
        rows = wrong.reshape(-1, wrong.shape[-1])
        self._count += len(rows)
        self._sum, self._squares = self._sum + rows.sum(axis=0), self._squares + np.square(rows).sum(axis=0)

    @property
    def mean_square(self) -> float:
        """Over all elements."""
        return float((self._squares / self._count).mean())

    @property
    def variance(self) -> float:
        """Of each channel, the mean over channels."""
        spread = self._squares / self._count - np.square(self._sum / self._count)
        return float(np.maximum(spread, 0.0).mean())


def _wrong(
    float_module: Module, layers: Sequence[QuantisedLayer], largest: int, samples: Sequence[Sequence[Array]]
) -> Sequence[tuple[QuantisedLayer, tuple[_Noise, _Noise]]]:
    """For each layer the noise of its integers, and that of the nearest ones of at most so much, on samples."""
    found: list[tuple[QuantisedLayer, tuple[_Noise, _Noise]]] = []
    takers: dict[Value, list[_Noise]] = {}
    for layer in layers:
        w = float_module.constant(layer.before.op.w)
        assert w is not None
        step = layer.layer.op.per_output(layer.weights[1])
        nearest = np.clip(np.rint(w / step), -largest, largest)
        both = _Noise(layer, layer.weights[0] * step - w), _Noise(layer, nearest * step - w)
        takers.setdefault(layer.before.op.x, []).extend(both)
        found.append((layer, both))

    def watch(value: Value, array: Array) -> None:
        for noise in takers.get(value, ()):
            noise.see(array)

    for sample in samples:
        for value, array in zip(float_module.inputs, sample, strict=True):
            watch(value, array)
        run_module(float_module, sample, watch)
    return found if len(samples) else []
