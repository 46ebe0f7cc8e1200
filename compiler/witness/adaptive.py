"""Weights rounded for the result, against the nearest integers: layer by layer, no more noise on calibration data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.floats import QuantisedLayer, layers_of
from tinyc.ir.module import Module
from tinyc.ir.op import Value
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

DECIBELS = 1.0
"""By which a layer's noise may be above that of the nearest integers: integers are chosen by some places of all the
calibration data, and for new data too, and this looks at all places of some of it."""
SMALL = 1e-3
"""Steps of the result, of root mean square noise, that tell nothing."""


def check_adaptive(float_module: Module, uncorrected: Module, samples: Sequence[Sequence[Array]]) -> None:
    """Measures what rounded weights add to each layer's result, less the mean of each channel, which the bias takes up.

    Args:
        float_module: what was quantised.
        uncorrected: the quantised module.
        samples: some of the calibration data.

    Raises:
        VerificationError: a layer has more noise than with the nearest integers; the message names the layer.
    """
    layers: dict[Value, list[QuantisedLayer]] = {}
    for layer in layers_of(float_module, uncorrected):
        layers.setdefault(layer.before.op.x, []).append(layer)
    given, nearest = _Noise(), _Noise()

    def watch(value: Value, array: Array) -> None:
        for layer in layers.get(value, ()):
            w = float_module.constant(layer.before.op.w)
            assert w is not None
            step = layer.layer.op.per_output(layer.weights[1])
            wide = w.astype(np.float64)
            given.see(layer, array, layer.weights[0] * step - wide)
            nearest.see(layer, array, np.clip(np.rint(wide / step), -127, 127) * step - wide)

    for sample in samples:
        for value, array in zip(float_module.inputs, sample, strict=True):
            watch(value, array)
        run_module(float_module, sample, watch)
    for layer in (layer for users in layers.values() for layer in users):
        noise, allowed = given.of(layer), nearest.of(layer) * 10 ** (DECIBELS / 10) + SMALL**2
        if noise > allowed:
            raise VerificationError(
                f"{layer.where}: its weights, rounded for its result, make {10 * math.log10(noise / allowed):.1f} dB "
                "more noise there than is allowed beside the nearest integers"
            )


class _Noise:
    """Of the results of layers, in squared steps: the variance of each channel, the mean over channels."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[Array, Array, int]] = {}

    def see(self, layer: QuantisedLayer, x: Array, error: Array) -> None:
        """Takes in what wrong weights make of an operand."""
        op = layer.before.op
        w = Value("error", TensorType(error.shape, DType.F32))
        alone = dataclasses.replace(op.with_weights(w, None), **cast("Any", {"min": -math.inf, "max": math.inf}))
        made = alone.run([x, error.astype(np.float32)]).reshape(-1, error.shape[op.output_axis])
        wide = made.astype(np.float64) / layer.out_scale
        mean, square, count = self._sums.get(layer.name, (np.float64(0), np.float64(0), 0))
        self._sums[layer.name] = mean + wide.sum(axis=0), square + (wide**2).sum(axis=0), count + len(wide)

    def of(self, layer: QuantisedLayer) -> float:
        """The noise of a layer."""
        if layer.name not in self._sums:
            return 0.0
        mean, square, count = self._sums[layer.name]
        return float((square / count - (mean / count) ** 2).mean())
