"""What quantisation cost, layer by layer: the quantised module against the float one on calibration samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Value
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.ops.quantise import Dequantize, Quantize
from tinyc.ir.tensor import Array
from tinyc.passes.quantise.calibrate import Progress, Run, Samples
from tinyc.passes.quantise.ranges import Parameters


@dataclass(frozen=True)
class LayerNoise:
    """One quantised operator.

    Attributes:
        name: the ONNX nodes it came from, or the value's name.
        op: the operator's mnemonic.
        value: the value's name in the float module and, dequantised, in the quantised one.
        sqnr: signal-to-quantisation-noise ratio of the result in dB, everything before it quantised as well;
            infinite where float and quantised results are equal.
        seen: the smallest and largest float number on the samples.
        represented: the smallest and largest number that its int8 represents.
        clipped: the part of the float numbers that lie more than half a step outside of what is represented.
        scale: of the result.
        zero: of the result.
        weights: the smallest and largest weight as quantised; None for operators without weights.
    """

    name: str
    op: str
    value: str
    sqnr: float
    seen: tuple[float, float]
    represented: tuple[float, float]
    clipped: float
    scale: float
    zero: int
    weights: tuple[float, float] | None
    type: str = "int8"
    """The integers of the result."""

    def to_dict(self) -> dict[str, Any]:
        """For report.json, which has no infinity: an infinite ratio is null."""
        return {
            "name": self.name,
            "op": self.op,
            "type": self.type,
            "value": self.value,
            "sqnr_db": round(self.sqnr, 2) if math.isfinite(self.sqnr) else None,
            "seen": list(self.seen),
            "represented": list(self.represented),
            "clipped": self.clipped,
            "scale": self.scale,
            "zero_point": self.zero,
            "weights": list(self.weights) if self.weights is not None else None,
        }


def powers(exact: Array, given: Array) -> tuple[float, float]:
    """Signal and noise: the sum of squares of numbers, and of what is given in their place less them."""
    wide = exact.astype(np.float64)
    return float((wide**2).sum()), float(((given - wide) ** 2).sum())


def noise_ratio(signal: float, noise: float) -> float:
    """Noise over signal; without a signal, the noise itself."""
    return noise / signal if signal else noise


def decibels(signal: float, noise: float) -> float:
    """10 log10(signal / noise) of two powers; infinite without noise, -infinite with noise only, or infinite noise."""
    if noise == 0:
        return math.inf
    ratio = signal / noise
    return 10 * math.log10(ratio) if ratio else -math.inf


@dataclass
class _Tally:
    parameters: Parameters
    signal: float = 0.0
    noise: float = 0.0
    count: int = 0
    clipped: int = 0
    seen: tuple[float, float] = field(default=(math.inf, -math.inf))

    def add(self, float_: Array, quantised: Array) -> None:
        """Takes in one sample."""
        wide = float_.astype(np.float64)
        signal, noise = powers(float_, quantised)
        self.signal, self.noise = self.signal + signal, self.noise + noise
        self.count += float_.size
        half = self.parameters.scale / 2
        self.clipped += int(((wide < self.parameters.low - half) | (wide > self.parameters.high + half)).sum())
        if float_.size:
            self.seen = min(self.seen[0], float(wide.min())), max(self.seen[1], float(wide.max()))


def measure(
    float_module: Module, module: Module, samples: Samples, run: Run, progress: Progress | None = None
) -> list[LayerNoise]:
    """Runs both modules on the samples; the quantised operators, worst ratio first.

    Args:
        float_module: the module as it was quantised.
        module: the quantised module: dequantised results have the names they have in the float module.
        samples: input sets.
        run: the interpreter.
        progress: told after each sample.
    """
    results = quantised_results(float_module, module)
    tallies = {name: _Tally(Parameters(op.scale[0], op.zero[0], op.x.dtype)) for name, (_, op) in results.items()}
    for number, inputs in enumerate(samples):
        exact: dict[str, Array] = {}

        def keep(value: Value, array: Array, exact: dict[str, Array] = exact) -> None:
            if value.name in tallies:
                exact[value.name] = array

        def compare(value: Value, array: Array, exact: Mapping[str, Array] = exact) -> None:
            if value.name in tallies:
                tallies[value.name].add(exact[value.name], array)

        run(float_module, inputs, keep)
        run(module, inputs, compare)
        if progress is not None:
            progress("measure", number + 1, len(samples))
    layers = [_layer(module, name, results[name][0], tally) for name, tally in tallies.items()]
    return sorted(layers, key=lambda layer: layer.sqnr)


def quantised_results(float_module: Module, module: Module) -> dict[str, tuple[Node, Dequantize]]:
    """For each float value that is computed in int8: the operator that computes it, and the dequantize behind it."""
    floats = {n.result.name for n in float_module.nodes}
    found = {}
    for real in module.made_by(Dequantize):
        quantize = module.made(real.op.x, Quantize)
        computed = module.producer.get(quantize.op.x) if quantize is not None else None
        if real.result.name in floats and computed is not None:
            found[real.result.name] = (computed, real.op)
    return found


def _layer(module: Module, name: str, node: Node, tally: _Tally) -> LayerNoise:
    p = tally.parameters
    weights = None
    layer = made(node, LinearLayer)
    if layer is not None:
        scaled = module.producer[layer.op.w]
        array = scaled.op.run([module.constant(v) for v in scaled.op.operands])  # type: ignore[misc]
        weights = float(array.min()), float(array.max())
    return LayerNoise(
        node.loc or name,
        node.op.mnemonic,
        name,
        decibels(tally.signal, tally.noise),
        tally.seen,
        (p.low, p.high),
        tally.clipped / max(tally.count, 1),
        p.scale,
        p.zero,
        weights,
        p.dtype.numpy.name,
    )


def to_dicts(layers: Sequence[LayerNoise]) -> list[dict[str, Any]]:
    """The layers for report.json."""
    return [layer.to_dict() for layer in layers]
