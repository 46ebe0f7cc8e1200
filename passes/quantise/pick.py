"""A way to choose ranges for each tensor: that which leaves the least noise at the results of layers that take it.

Mean square of a tensor's own errors counts a channel that its layers hardly look at as much as any other, and clipping
the largest numbers, which decide, as much as rounding many small ones. At the layers' results both weigh what they are
worth there. What is the same for all inputs is left out: a bias takes it up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Made, Module, made
from tinyc.ir.op import Value
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array
from tinyc.passes.quantise.calibrate import Progress, Range, Ranges, Run, Samples
from tinyc.passes.quantise.ranges import parameters

MEASURED = "measured"
"""What this choice is called where observers are named."""
PICKED_FROM = ("mse", "min-max", "percentile")
"""Observers that each tensor's is picked from; the first where no layer takes it."""
PLACES = 64
"""Places of a layer's result that are looked at in each sample."""


@dataclass
class _Tally:
    """Of a layer's result, for each way: sums of errors and of their squares, one a channel."""

    count: int
    sums: Array
    squares: Array

    def noise(self, scale: Array) -> Array:
        """Of each way: the variance of a channel's error, in parts of its weights' size, the mean over channels."""
        variance = self.squares / self.count - (self.sums / self.count) ** 2
        return np.asarray((variance / scale).mean(axis=1))


def pick(
    module: Module, ways: Mapping[Value, Sequence[Range]], samples: Samples, run: Run, progress: Progress | None = None
) -> Ranges:
    """Of several ranges for each tensor, the one with the least noise at the layers that take it.

    Args:
        module: a float module.
        ways: the ranges to pick from, as many for each tensor; the first where no layer takes it.
        samples: calibration inputs.
        run: the interpreter.
        progress: told after each sample.
    """
    users: dict[Value, list[Made[LinearLayer]]] = {}
    for node in module.nodes:
        layer = made(node, LinearLayer)
        if layer is not None and layer.op.x in ways and module.constant(layer.op.w) is not None:
            users.setdefault(layer.op.x, []).append(layer)
    tallies: dict[Value, _Tally] = {}

    def watch(value: Value, array: Array) -> None:
        for layer in users.get(value, ()):
            errors = np.stack([_error(module, layer, array, way) for way in ways[value]])
            found = tallies.setdefault(layer.result, _Tally(0, np.zeros(()), np.zeros(())))
            found.count += errors.shape[1]
            found.sums, found.squares = found.sums + errors.sum(axis=1), found.squares + (errors**2).sum(axis=1)

    for number, inputs in enumerate(samples):
        for value, array in zip(module.inputs, inputs, strict=True):
            watch(value, array)
        run(module, inputs, watch)
        if progress is not None:
            progress("pick ranges", number + 1, len(samples))
    found = {value: given[0] for value, given in ways.items()}
    for value, layers in users.items():
        noise = sum(tallies[layer.result].noise(_size(module, layer)) for layer in layers if layer.result in tallies)
        if isinstance(noise, np.ndarray):
            found[value] = ways[value][int(np.argmin(noise))]
    return found


def _rows(module: Module, layer: Made[LinearLayer]) -> Array:
    w = module.constant(layer.op.w)
    assert w is not None
    return layer.op.by_output(w).astype(np.float64)


def _size(module: Module, layer: Made[LinearLayer]) -> Array:
    """The sum of squares of the weights of each output channel: what noise of one a product would come to."""
    return np.asarray(np.maximum((_rows(module, layer) ** 2).sum(axis=1), 1e-30))


def _error(module: Module, layer: Made[LinearLayer], x: Array, way: Range) -> Array:
    """What rounding an operand by a range does to a layer's result, [places, channels]."""
    p = parameters(way.low, way.high)
    off = p.scale * (p.quantise(x).astype(np.float64) - p.zero) - x
    met = layer.op.met(off, PLACES)
    rows = _rows(module, layer)
    sums = met @ rows.reshape(len(met), -1, rows.shape[1]).swapaxes(1, 2)
    return np.asarray(np.moveaxis(sums, 0, 1).reshape(met.shape[1], -1))
