"""What the weights of layers meet on calibration data: the moments that rounding weights for the result needs."""

from __future__ import annotations

from collections.abc import Collection
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
    """Of what the weights of one layer meet: in blocks of products, the covariances [groups, products, products], and
    the means [groups, products]. Outputs of a group meet the same numbers; groups have as many outputs each, in their
    order."""

    blocks: tuple[Array, ...]
    means: tuple[Array, ...]

    def rounded(self, op: LinearLayer, weights: Array, scales: Array, limit: int, beside: bool = True) -> Array:
        """Integers for a layer's weights, of their shape, with a scale for each output: `round_weights`."""
        rows = op.by_output(weights).astype(np.float64)
        return np.asarray(op.from_output(self.rounded_rows(rows, scales, limit, beside)))

    def rounded_rows(self, rows: Array, scales: Array, limit: int, beside: bool = True) -> Array:
        """The same of weights [outputs, products]."""
        by = scales.astype(np.float64).reshape(len(self.means[0]), -1, 1)
        parts = [
            round_weights(part, by, second, limit, beside)
            for part, second in zip(self._parts(rows), self.blocks, strict=True)
        ]
        return np.concatenate(parts, axis=-1).reshape(rows.shape)

    def product(self, a: Array, b: Array) -> Array:
        """The covariances of what two sets of weights [outputs, products] make, [outputs]."""
        pairs = zip(self._parts(a), self.blocks, self._parts(b), strict=True)
        return np.asarray(np.sum([((x @ second) * y).sum(axis=-1) for x, second, y in pairs], axis=0)).reshape(-1)

    def mean(self, rows: Array) -> Array:
        """The means of what weights [outputs, products] make, [outputs]."""
        pairs = zip(self._parts(rows), self.means, strict=True)
        return np.asarray(np.sum([(x @ mean[..., np.newaxis])[..., 0] for x, mean in pairs], axis=0)).reshape(-1)

    def _parts(self, rows: Array) -> list[Array]:
        """Weights [outputs, products] as each block meets them, [groups, outputs, products]."""
        grouped = rows.reshape(len(self.means[0]), -1, rows.shape[1])
        ends = np.cumsum([mean.shape[1] for mean in self.means])[:-1]
        return np.split(grouped, ends, axis=2)


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

    def moments(self, centred: bool) -> Moments:
        """The covariances, or with their means if not `centred`; less sure of those between two products the fewer
        places were seen."""
        mean = self._mean / self._count
        found = []
        for cut, total in self._parts:
            second = total / self._count
            if centred:
                second = second - mean[:, cut, np.newaxis] * mean[:, np.newaxis, cut]
            size = second.shape[-1]
            sure = self._count / (self._count + size)
            found.append(second * np.where(np.eye(size) > 0, 1.0, sure))
        return Moments(tuple(found), tuple(mean[:, cut] for cut, _ in self._parts))


def measure_moments(
    module: Module,
    samples: Samples,
    run: Run,
    progress: Progress | None = None,
    of: Collection[Value] | None = None,
    centred: bool = True,
    places: int = PLACES,
) -> dict[Value, Moments]:
    """The moments of the layers of a float module, by their results.

    Args:
        module: float.
        samples: calibration inputs.
        run: the interpreter.
        progress: told after each sample.
        of: only of the layers with these results.
        centred: about the mean, for layers whose mean error their biases take away.
        places: of a result that are looked at in each sample.
    """
    layers: dict[Value, Made[LinearLayer]] = {
        node.result: layer
        for node in module.nodes
        if (layer := made(node, LinearLayer)) is not None
        and module.constant(layer.op.w) is not None
        and (of is None or node.result in of)
    }
    taken = {layer.op.x for layer in layers.values()}
    tallies: dict[Value, _Tally] = {}
    known: dict[Value, Array] = {}

    def watch(value: Value, array: Array) -> None:
        if value in taken:
            known[value] = array
        if value in layers:
            op = layers[value].op
            met = op.met(known[op.x], places)
            if met.size:
                tallies.setdefault(value, _Tally(met.shape[0], met.shape[2])).see(met)

    for number, inputs in enumerate(samples):
        known.clear()
        known.update(zip(module.inputs, inputs, strict=True))
        run(module, inputs, watch)
        if progress is not None:
            progress("measure what weights meet", number + 1, len(samples))
    return {value: tally.moments(centred) for value, tally in tallies.items()}
