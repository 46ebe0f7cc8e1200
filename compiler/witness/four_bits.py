"""Weights of 4 bits against the floats that they stand for.

They are not rounded each to the nearest, so that a weight by itself may be off by more than half a step. What holds
instead: with the layer's own inputs on calibration data, and the mean error taken out by the bias, its results have no
more noise than those of the nearest integers on the same scales.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.floats import QuantisedLayer, layers_of
from tinyc.ir.module import Module
from tinyc.ir.op import Value
from tinyc.ir.tensor import Array

LOW, HIGH = -8, 7
MORE = 1.1
"""Noise of some samples is not exactly that of all, by which the integers were chosen."""
SAMPLES = 32
ROUNDING = 1e-9
"""The part of a mean square by which a variance, which is the difference of two of its kind, may be wrong."""


def check_four_bits(
    float_module: Module,
    module: Module,
    names: Collection[str],
    samples: Sequence[Sequence[Array]],
    centred: bool = True,
) -> int:
    """Holds layers with weights of 4 bits, by the names of their results, against the same with the nearest integers;
    the number of layers. `centred` leaves the mean error aside, which biases take out.

    Raises:
        VerificationError: a weight has more than 4 bits, or a layer more noise; the message names it.
    """
    layers = [layer for layer in layers_of(float_module, module) if layer.name in names]
    taken = samples[:: -(-len(samples) // SAMPLES)] if samples else []
    for layer in layers:
        data, scale = layer.weights
        if data.min(initial=0) < LOW or data.max(initial=0) > HIGH:
            raise VerificationError(f"{layer.where}: its weights are {data.min()} to {data.max()}, not of 4 bits")
        if not np.isfinite(scale).all() or (scale <= 0).any():
            raise VerificationError(f"{layer.where}: the scales of its weights are {scale.min():.6g} and more")
    noises = _Noises(float_module, layers)
    for sample in taken:
        run_module(float_module, sample, noises.see)
        for value, array in zip(float_module.inputs, sample, strict=True):
            noises.see(value, array)
    for layer in layers if taken else ():
        (own, near), (simple, _) = noises.of(layer, centred)
        if own > MORE * simple + near:
            raise VerificationError(
                f"{layer.where}: its weights of 4 bits make noise of {own:.3g}, the nearest integers {simple:.3g}"
            )
    return len(layers)


class _Noises:
    """What is wrong with layers' results by their weights: as they are, and rounded to the nearest."""

    def __init__(self, float_module: Module, layers: Sequence[QuantisedLayer]) -> None:
        self._by_operand: dict[Value, list[QuantisedLayer]] = {}
        self._off: dict[str, list[Array]] = {}
        self._seen: dict[str, list[list[Array]]] = {}
        for layer in layers:
            w = float_module.constant(layer.before.op.w)
            assert w is not None
            self._by_operand.setdefault(layer.before.op.x, []).append(layer)
            data, step = layer.weights[0], layer.layer.op.per_output(layer.weights[1])
            nearest = np.clip(np.rint(w / step), -HIGH, HIGH)
            self._off[layer.name] = [w - integers * step for integers in (data, nearest)]
            self._seen[layer.name] = [[], []]

    def see(self, value: Value, array: Array) -> None:
        """Adds what layers make of an operand."""
        for layer in self._by_operand.get(value, ()):
            op = layer.before.op.limited(-np.inf, np.inf)
            bias = np.zeros(op.type.shape[-1])
            for off, seen in zip(self._off[layer.name], self._seen[layer.name], strict=True):
                wrong = op.evaluate(array.astype(np.float64), off, bias)
                rows = wrong.reshape(-1, wrong.shape[-1])
                seen.append(
                    np.stack([rows.sum(axis=0), np.square(rows).sum(axis=0), np.full(rows.shape[1], len(rows))])
                )

    def of(self, layer: QuantisedLayer, centred: bool) -> list[tuple[float, float]]:
        """The mean square of each, or its variance, over all channels; and how far that may be wrong."""
        found = []
        for seen in self._seen[layer.name]:
            total, square, count = np.sum(seen, axis=0)
            spread = np.maximum(square / count - centred * np.square(total / count), 0.0)
            found.append((float(spread.sum()), ROUNDING * float((square / count).sum())))
        return found
