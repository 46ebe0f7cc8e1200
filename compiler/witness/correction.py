"""Bias correction against what it claims: that each layer's mean error on calibration data is gone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyc.backends.interpreter import run_module
from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.floats import BIAS_LARGEST, QuantisedLayer, bias_of, layers_of
from tinyc.ir.module import Module, Node
from tinyc.ir.op import Value
from tinyc.ir.ops import Clamp
from tinyc.ir.tensor import Array

MOST = 24
"""Samples that the means are taken of. Of all calibration data the mean error is gone but for the bias's rounding; of a
part of it, something is left that the part does not share with the rest."""
FLIPPED = 0.5
"""Steps of the result, over the square root of the samples: sums in float32 may round to either side of a step, and a
few elements of the layers before do. A dense layer on eight samples was 0.07 off. That each bias is what the correction
came to is held exactly elsewhere (`floats.check_biases`)."""
LAST_PLACE = 2.0**-23
"""Of a bias: results before the limits, and the bias itself, are float32 numbers, half a unit in the last place (2^-24)
off each. It is more than half a unit of the sums for biases of more than 2^22 of these."""
CHANCE = 4.0
"""Standard errors of a mean of samples that are explained as chance."""


def check_correction(
    float_module: Module, uncorrected: Module, module: Module, samples: Sequence[Sequence[Array]]
) -> float | None:
    """Measures the mean errors of the channels of each layer, before its activation, with the corrected biases.

    Where all calibration data is measured, none is left. Where a part is, less is left than without the correction of
    the layer, but for chance.

    Args:
        float_module: what was quantised.
        uncorrected: the quantised module before its biases were corrected.
        module: after it.
        samples: the calibration data.

    Returns:
        The largest mean error in steps of its layer's result; None when no bias was corrected.

    Raises:
        VerificationError: the correction made a layer's mean error larger; the message names the layer.
    """
    before = {layer.name: bias_of(uncorrected, layer.layer) for layer in layers_of(float_module, uncorrected)}
    layers = [layer for layer in layers_of(float_module, module) if layer.name in before]
    change = {layer.name: bias_of(module, layer.layer) - before[layer.name] for layer in layers}
    if not any(c.any() for c in change.values()):
        return None
    taken = samples[:: -(-len(samples) // MOST)] if len(samples) > MOST else samples
    exact = _means(float_module, [layer.before.result for layer in layers], taken)
    given = _means(module, [layer.layer.result for layer in layers], taken)
    worst = 0.0
    for layer, floats, integers in zip(layers, exact, given, strict=True):
        left = floats - integers  # one row a sample, one column a channel
        mean = left.mean(axis=0)
        bias = np.abs(bias_of(module, layer.layer))
        mean = np.where(bias >= 0.999 * BIAS_LARGEST * layer.units, 0.0, mean)
        rounding = 0.51 * layer.units + LAST_PLACE * bias
        if len(taken) == len(samples):
            _check_gone(layer, mean, rounding + FLIPPED / math.sqrt(len(taken)) * layer.out_scale)
        else:
            error = left.std(axis=0, ddof=1) / math.sqrt(len(taken))
            allowed = CHANCE * error + rounding + FLIPPED / math.sqrt(len(taken)) * layer.out_scale
            _check_less(layer, mean, change[layer.name], allowed)
        worst = max(worst, float(np.abs(mean).max(initial=0.0)) / layer.out_scale)
    return worst


def _check_gone(layer: QuantisedLayer, mean: Array, allowed: Array) -> None:
    over = np.abs(mean) - allowed
    if over.size and over.max() > 0:
        c = int(np.argmax(over))
        raise VerificationError(
            f"{layer.where}: with its bias corrected, channel {c} is {abs(mean[c]) / layer.out_scale:.3g} steps off on "
            "average over the calibration data: bias correction does not do what it is for"
        )


def _check_less(layer: QuantisedLayer, mean: Array, change: Array, allowed: Array) -> None:
    """What is left is less than it would be without the correction, as far as it is more than chance."""
    excess = np.maximum(np.abs(mean) - allowed, 0.0)
    without = np.maximum(np.abs(mean + change) - allowed, 0.0)
    if float((excess**2).sum()) > float((without**2).sum()):
        c = int(np.argmax(excess))
        raise VerificationError(
            f"{layer.where}: with its bias corrected, channel {c} is {abs(mean[c]) / layer.out_scale:.3g} steps off on "
            f"average, and {abs(mean[c] + change[c]) / layer.out_scale:.3g} without: bias correction does harm"
        )


def _means(module: Module, values: Sequence[Value], samples: Sequence[Sequence[Array]]) -> list[Array]:
    """The mean of each channel of layers' results before their limits, one row a sample."""
    free = {v: Value(f"{v.name} before its limits", v.type) for v in values}
    nodes: list[Node] = []
    for node in module.nodes:
        op, limits = node.op, node.op.limits()
        if node.result in free and limits is not None:
            nodes.append(Node(free[node.result], op.limited(-math.inf, math.inf), node.loc))
            op = Clamp(free[node.result], *limits)
        nodes.append(Node(node.result, op, node.loc))
    unlimited = Module(module.name, module.inputs, tuple(nodes), module.outputs)
    found: dict[Value, list[Array]] = {v: [] for v in free.values()}

    def watch(value: Value, array: Array) -> None:
        if value in found:
            found[value].append(array.reshape(-1, array.shape[-1]).mean(axis=0, dtype=np.float64))

    for sample in samples:
        run_module(unlimited, sample, watch)
    return [np.stack(found[free[v]]) for v in values]
