"""The constants of a quantised module against the floats that they stand for: weights, scales, biases."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.arithmetic import same_limit
from tinyc.compiler.witness.behind import real_constant
from tinyc.ir.module import Made, Module, made
from tinyc.ir.op import Value
from tinyc.ir.ops import Clamp, Dequantize, Quantize
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

LARGEST = 127
"""Weights are symmetric: -128 is left out."""
BIAS_LARGEST = 2**30
"""Half of int32, which is left for the sums."""
BIAS_STEPS = 2**23
"""Units of the sums that a bias takes where products take fewer."""
ROUNDING = 1e-5
"""Relative: scales are float32 numbers (2^-24), and so are the floats."""
NARROWED = 1 / 16
"""Steps of the result by which a bias of few bits may be off."""
TINY = 1e-15
"""Weights below this times 127 are no signal."""


@dataclass(frozen=True)
class QuantisedLayer:
    """A convolution or dense layer before and after.

    Attributes:
        name: the value that both modules have: the result, behind its limits.
        before: the layer in the float module.
        layer: in the quantised one.
        input_scale: of its operand.
        input_zero: the operand's zero point.
        weights: its integers, and the scale of each output channel.
        out_scale: of its result.
        out_zero: the result's zero point.
        operand, result: their types.
    """

    name: str
    before: Made[LinearLayer]
    layer: Made[LinearLayer]
    input_scale: float
    input_zero: int
    weights: tuple[Array, Array]
    out_scale: float
    out_zero: int
    operand: DType = DType.I8
    result: DType = DType.I8

    @property
    def where(self) -> str:
        """What errors call it."""
        return f"layer {self.layer.node.loc or self.name} ({self.layer.op.mnemonic})"

    @property
    def units(self) -> Array:
        """The real value of one unit of the sums, one a channel."""
        return self.input_scale * self.weights[1]


def layers_of(float_module: Module, module: Module) -> Iterator[QuantisedLayer]:
    """The layers of a float module that are computed in int8 in a module made from it."""
    floats = {n.result.name: n.result for n in float_module.nodes}
    for real in module.made_by(Dequantize):
        name = real.result.name
        rounded = module.made(real.op.x, Quantize)
        layer = module.made(rounded.op.x, LinearLayer) if rounded is not None else None
        before = _limited_layer(float_module, floats.get(name))
        if rounded is None or layer is None or before is None:
            continue
        x, w = module.made(layer.op.x, Dequantize), module.made(layer.op.w, Dequantize)
        data = module.constant(w.op.x) if w is not None else None
        if x is None or w is None or data is None:
            continue
        scale = np.broadcast_to(_float32(w.op.scale), (data.shape[layer.op.output_axis],))
        out = float(np.float32(rounded.op.scale))
        given = float(np.float32(x.op.scale[0])), x.op.zero[0]
        types = _signed(x.op.x.dtype), _signed(rounded.op.to)
        yield QuantisedLayer(name, before, layer, *given, (data, scale), out, rounded.op.zero, *types)


def _signed(dtype: DType) -> DType:
    return DType.I16 if dtype is DType.I16 else DType.I8


def _levels(dtype: DType) -> int:
    """Steps of a type's range."""
    return dtype.limits[1] - dtype.limits[0]


def _limited_layer(module: Module, value: Value | None) -> Made[LinearLayer] | None:
    """The layer that computes a value, limits aside."""
    node = module.producer.get(value) if value is not None else None
    while (clamp := made(node, Clamp)) is not None:
        node = module.producer.get(clamp.op.x)
    return made(node, LinearLayer)


def check_floats(
    float_module: Module, uncorrected: Module, four_bits: Collection[str] = (), nearest: bool = True
) -> int:
    """Holds weights and biases against the floats that they stand for; the number of layers.

    Args:
        float_module: what was quantised.
        uncorrected: the quantised module, its biases as they were rounded.
        four_bits: names of the results of layers whose weights are held against their floats elsewhere.
        nearest: whether each weight is the nearest integer, or one of the two next to it.

    Raises:
        VerificationError: a constant is further from its float than rounding explains; the message names the layer.
    """
    count = 0
    for layer in layers_of(float_module, uncorrected):
        w, bias = float_module.constant(layer.before.op.w), float_bias(float_module, layer)
        if w is None:
            continue
        if layer.name not in four_bits:
            _check_weights(layer, w.astype(np.float64), bias, 0.5 if nearest else 1.0)
        _check_bias(layer, bias, bias_of(uncorrected, layer.layer))
        count += 1
    return count


def check_biases(float_module: Module, module: Module, meant: Mapping[str, Array]) -> None:
    """Holds corrected biases against the real numbers that the correction came to, by the names of layers' results.

    Raises:
        VerificationError: a bias is further from that than rounding explains; the message names the layer.
    """
    for layer in layers_of(float_module, module):
        if layer.name in meant:
            _check_bias(layer, meant[layer.name], bias_of(module, layer.layer), "as corrected")


def check_narrowed(float_module: Module, corrected: Module, module: Module) -> None:
    """Holds biases that were rounded to fewer bits against those before: no result changes by more than is allowed.

    Raises:
        VerificationError: one does; the message names the layer.
    """
    before = {layer.name: bias_of(corrected, layer.layer) for layer in layers_of(float_module, corrected)}
    for layer in layers_of(float_module, module):
        old, new = before[layer.name], bias_of(module, layer.layer)
        rows = layer.layer.op.by_output(layer.weights[0]).astype(np.float64)
        step = layer.units / layer.out_scale
        folded = [b / layer.out_scale - layer.input_zero * rows.sum(axis=1) * step + layer.out_zero for b in (old, new)]
        far = -layer.operand.limits[0]
        hidden = same_limit(folded, far * np.abs(rows).sum(axis=1) * step, layer.result)
        off = np.where(hidden, 0.0, np.abs(new - old) / layer.out_scale)
        if off.max(initial=0.0) > NARROWED * (1 + ROUNDING):
            c = int(np.argmax(off))
            raise VerificationError(
                f"{layer.where}: the bias of channel {c} is {new[c]:.6g} in few bits, {off[c]:.3g} steps of the result "
                f"from {old[c]:.6g}"
            )


def bias_of(module: Module, layer: Made[LinearLayer]) -> Array:
    """The bias of a layer, in real numbers; zeros without one."""
    if layer.op.b is None:
        return np.zeros(layer.result.shape[-1])
    bias = real_constant(module, layer.op.b)
    assert bias is not None
    return bias


def float_bias(module: Module, layer: QuantisedLayer) -> Array:
    """The bias of a layer in the float module, one a channel; zeros where it has none."""
    array = module.constant(layer.before.op.b)
    return np.zeros(layer.layer.result.shape[-1]) if array is None else array.astype(np.float64)


def _check_weights(layer: QuantisedLayer, w: Array, bias: Array, most: float) -> None:
    op, (data, scale) = layer.layer.op, layer.weights
    step = op.per_output(scale)
    off = np.abs(w - data * step) - (most + ROUNDING * LARGEST) * step
    if off.size and off.max() > 0:
        at = tuple(int(i) for i in np.unravel_index(int(np.argmax(off)), off.shape))
        raise VerificationError(
            f"{layer.where}: weight {list(at)} is {w[at]:.6g} in the float model and {data[at]} times "
            f"{scale[at[op.output_axis]]:.6g} in int8, more than {'half a' if most == 0.5 else 'one'} step off"
        )
    needed = np.maximum(np.abs(op.by_output(w)).max(axis=1, initial=0.0) / LARGEST, _for_biases(layer, w, bias))
    wide = np.where(needed > TINY, scale / np.maximum(needed + _of_bytes(layer, needed), TINY), 1.0)
    if (wide > 1 + ROUNDING).any():
        c = int(np.argmax(wide))
        raise VerificationError(
            f"{layer.where}: the weights of channel {c} have the scale {scale[c]:.6g} where {needed[c]:.6g} would do"
        )


def _of_bytes(layer: QuantisedLayer, needed: Array) -> Array:
    """By how much scales may be coarser for their factors to be whole numbers of 7 or 8 bits: by a unit of the largest,
    where the noise of rounded weights grows by 1/16 or 1/16 of a step."""
    unit = max(float(needed.max(initial=0.0)) / LARGEST, 2.0**-23 * layer.out_scale / layer.input_scale)
    products = layer.weights[0].size / len(needed)
    noise = layer.out_scale / layer.input_scale / 16 / ((_levels(layer.operand) + 1) / 12 * np.sqrt(products))
    return np.asarray(np.minimum(unit, np.maximum(needed / 16, noise)))


def _for_biases(layer: QuantisedLayer, w: Array, bias: Array) -> Array:
    """How coarse the biases make the weights' scales: they take less than int32, and no more of the sums than products
    do, or 2^23, as long as they are within what the result can tell."""
    rows = np.abs(layer.layer.op.by_output(w))
    levels = _levels(layer.operand)
    least = BIAS_STEPS if layer.operand is DType.I8 else BIAS_LARGEST
    products = rows.sum(axis=1) * levels * layer.input_scale
    largest = rows.max(axis=1, initial=0.0)
    steps = np.where(largest > 0, rows.sum(axis=1) * levels * LARGEST / np.where(largest > 0, largest, 1.0), 0.0)
    told = np.minimum(np.abs(bias), _levels(layer.result) * layer.out_scale + products)
    needed = np.maximum(told / np.maximum(steps, least), np.abs(bias) / BIAS_LARGEST)
    return np.asarray(needed / layer.input_scale)


def _check_bias(layer: QuantisedLayer, bias: Array, given: Array, origin: str = "in the float model") -> None:
    off = np.abs(bias - given) - 0.5 * layer.units - ROUNDING * np.abs(bias)
    off = np.where(np.abs(given) >= BIAS_LARGEST * layer.units * (1 - ROUNDING), 0.0, off)
    if off.size and off.max() > 0:
        c = int(np.argmax(off))
        raise VerificationError(
            f"{layer.where}: the bias of channel {c} is {bias[c]:.6g} {origin} and {given[c]:.6g} in int8, "
            f"more than half a step of {layer.units[c]:.3g} off"
        )


def _float32(numbers: tuple[float, ...]) -> Array:
    return np.asarray(numbers, np.float32).astype(np.float64)
