"""What batch norms tell of activations: the mean and the deviation of each channel over the training data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Module
from tinyc.ir.op import Value
from tinyc.ir.ops import BatchNorm
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array
from tinyc.passes.quantise.calibrate import Run, Samples
from tinyc.passes.quantise.limits import before_limits, unlimited
from tinyc.passes.quantise.units import parts

FAR = 1.5
"""Deviations between the mean over samples and a batch norm's, in the middle one of the channels, beyond which they are
of different data. The mean of a single image of MNIST was at most 0.7 off."""
COMPARED = 8
"""Samples that are compared."""
REACH = 6.0
"""Deviations from its mean that a channel is expected to reach, once in many inputs. Of three networks, the largest of
300 images lay 4 to 5 away in most channels, and up to 13 in some."""


@dataclass(frozen=True)
class Statistics:
    """Of the channels of a value, in float64."""

    mean: Array
    deviation: Array

    def divided(self, s: Array) -> Statistics:
        """The same of the value with its channels divided by s."""
        return Statistics(self.mean / s, self.deviation / s)

    def reach(self) -> tuple[Array, Array]:
        """The least and the largest number to expect of each channel."""
        return self.mean - REACH * self.deviation, self.mean + REACH * self.deviation


def batch_norm_statistics(module: Module) -> Mapping[str, Statistics]:
    """Of the results of batch norms with constant vectors, by the batch norms' locations.

    Args:
        module: as imported, before batch norms are folded.
    """
    found: dict[str, Statistics] = {}
    for norm in module.made_by(BatchNorm):
        op = norm.op
        scale, bias, variance = (module.constant(v) for v in (op.scale, op.bias, op.variance))
        if scale is None or bias is None or variance is None or not norm.node.loc or norm.node.loc in found:
            continue
        wide = variance.astype(np.float64)
        part = np.sqrt(np.maximum(wide, 0.0) / np.maximum(wide + op.epsilon, 1e-30))
        statistics = Statistics(bias.astype(np.float64), np.abs(scale.astype(np.float64)) * part)
        if np.isfinite(statistics.mean).all() and np.isfinite(statistics.deviation).all():
            found[norm.node.loc] = statistics
    return found


def layer_statistics(
    module: Module, norms: Mapping[str, Statistics], samples: Samples, run: Run
) -> Mapping[Value, Statistics]:
    """Of the layers that batch norms have been folded into: their results' channels, before the layers' limits.

    A batch norm may have been folded into the layer behind it as well, and calibration data may be scaled otherwise
    than training data was: where the samples' own means are far from a batch norm's, it is left aside.

    Args:
        module: a float module, batch norms folded.
        norms: by location.
        samples: calibration inputs.
        run: the interpreter.
    """
    found: dict[str, Statistics] = {}
    for layer in module.made_by(LinearLayer):
        known = [norms[part] for part in parts(layer.node.loc) if part in norms]
        if len(known) == 1 and known[0].mean.shape == layer.result.shape[-1:]:
            found[layer.result.name] = known[0]
    if not found:
        return {}
    means = {name: np.zeros_like(statistics.mean) for name, statistics in found.items()}

    def watch(value: Value, array: Array) -> None:
        name = before_limits(value)
        if name is not None and name in means:
            means[name] += array.reshape(-1, array.shape[-1]).mean(axis=0, dtype=np.float64)

    taken = samples[:COMPARED]
    free = unlimited(module, set(found))
    for inputs in taken:
        run(free, inputs, watch)
    results = {n.result.name: n.result for n in module.nodes}
    return {
        results[name]: statistics
        for name, statistics in found.items()
        if _agree(statistics, means[name] / max(len(taken), 1))
    }


def _agree(statistics: Statistics, mean: Array) -> bool:
    alive = statistics.deviation > 0
    if not alive.any():
        return False
    return bool(np.median(np.abs(mean - statistics.mean)[alive] / statistics.deviation[alive]) < FAR)
