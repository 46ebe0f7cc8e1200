"""What the weights of layers meet on calibration data: the moments that rounding weights for the result needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Made, Module, made
from tinyc.ir.op import Value
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array
from tinyc.passes.quantise.calibrate import Progress, Run, Samples
from tinyc.passes.quantise.rounding import round_weights

PLACES = 256
"""Places of a result that are looked at in each sample, evenly taken."""
BLOCK = 1024
"""Products of an output whose moments are held together. Those of a wider layer are taken in blocks, as if what two
blocks meet had nothing to do with each other."""


@dataclass(frozen=True)
class Moments:
    """Of what the weights of one layer meet: in blocks of products, the covariances [groups, products, products].
    Outputs of a group meet the same numbers; groups have as many outputs each, in their order."""

    blocks: tuple[Array, ...]

    def rounded(self, op: LinearLayer, weights: Array, scales: Array, limit: int) -> Array:
        """Integers for a layer's weights, of their shape, with a scale for each output."""
        rows = op.by_output(weights).astype(np.float64)
        groups = len(self.blocks[0])
        grouped = rows.reshape(groups, -1, rows.shape[1])
        by = scales.astype(np.float64).reshape(groups, -1, 1)
        parts = [
            round_weights(grouped[..., k * BLOCK : (k + 1) * BLOCK], by, second, limit)
            for k, second in enumerate(self.blocks)
        ]
        found = np.concatenate(parts, axis=-1).reshape(rows.shape)
        return np.asarray(op.from_output(found))


class _Tally:
    """Sums over samples."""

    def __init__(self, groups: int, products: int) -> None:
        cuts = [slice(k, min(k + BLOCK, products)) for k in range(0, products, BLOCK)]
        self._parts = [(c, np.zeros((groups, c.stop - c.start, c.stop - c.start))) for c in cuts]
        self._mean = np.zeros((groups, products))
        self._count = 0

    def see(self, met: Array) -> None:
        """Takes in [groups, places, products]."""
        wide = met.astype(np.float64)
        for cut, total in self._parts:
            total += wide[..., cut].swapaxes(1, 2) @ wide[..., cut]
        self._mean += wide.sum(axis=1)
        self._count += met.shape[1]

    def moments(self) -> Moments:
        """The covariances, less sure of those between two products the fewer places were seen."""
        mean = self._mean / self._count
        found = []
        for cut, total in self._parts:
            second = total / self._count - mean[:, cut, np.newaxis] * mean[:, np.newaxis, cut]
            size = second.shape[-1]
            sure = self._count / (self._count + size)
            found.append(second * np.where(np.eye(size) > 0, 1.0, sure))
        return Moments(tuple(found))


def measure_moments(
    module: Module, samples: Samples, run: Run, progress: Progress | None = None
) -> dict[Value, Moments]:
    """The moments of the layers of a float module, by their results."""
    layers: dict[Value, Made[LinearLayer]] = {
        node.result: layer
        for node in module.nodes
        if (layer := made(node, LinearLayer)) is not None and module.constant(layer.op.w) is not None
    }
    taken = {layer.op.x for layer in layers.values()}
    tallies: dict[Value, _Tally] = {}
    known: dict[Value, Array] = {}

    def watch(value: Value, array: Array) -> None:
        if value in taken:
            known[value] = array
        if value in layers:
            op = layers[value].op
            met = op.met(known[op.x], PLACES)
            if met.size:
                tallies.setdefault(value, _Tally(met.shape[0], met.shape[2])).see(met)

    for number, inputs in enumerate(samples):
        known.clear()
        known.update(zip(module.inputs, inputs, strict=True))
        run(module, inputs, watch)
        if progress is not None:
            progress("measure what weights meet", number + 1, len(samples))
    return {value: tally.moments() for value, tally in tallies.items()}
