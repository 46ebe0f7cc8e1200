"""The constants of a quantised module against the floats that they stand for: weights, scales, biases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.definition import dequantised
from tinyc.ir.module import Module, Node
from tinyc.ir.ops import Clamp, Constant, Dense, DepthwiseConv2d, Dequantize, Quantize
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.tensor import Array

LARGEST = 127
"""Weights are symmetric: -128 is left out."""
BIAS_LARGEST = 2**30
"""Half of int32, which is left for the sums."""
ROUNDING = 1e-5
"""Relative: scales are float32 numbers (2^-24), and so are the floats."""
TINY = 1e-15
"""Weights below this times 127 are no signal."""


@dataclass(frozen=True)
class QuantisedLayer:
    """A convolution or dense layer before and after.

    Attributes:
        name: the value that both modules have: the result, behind its limits.
        float_node: the layer in the float module.
        node: in the quantised one.
        input_scale: of its operand.
        weights: its integers, and the scale of each output channel.
        axis: the dimension of the weights that counts output channels.
        out_scale: of its result.
    """

    name: str
    float_node: Node
    node: Node
    input_scale: float
    weights: tuple[Array, Array]
    axis: int
    out_scale: float

    @property
    def where(self) -> str:
        """What errors call it."""
        return f"layer {self.node.loc or self.name} ({self.node.op.mnemonic})"

    @property
    def units(self) -> Array:
        """The real value of one unit of the sums, one a channel."""
        return self.input_scale * self.weights[1]


def layers_of(float_module: Module, module: Module) -> Iterator[QuantisedLayer]:
    """The layers of a float module that are computed in int8 in a module made from it."""
    floats = {n.result.name: n for n in float_module.nodes}
    for node in module.nodes:
        before = floats.get(node.result.name)
        made = module.producer.get(node.op.x) if isinstance(node.op, Dequantize) else None
        if before is None or made is None or not isinstance(made.op, Quantize):
            continue
        while before is not None and isinstance(before.op, Clamp):
            before = float_module.producer.get(before.op.x)
        layer = module.producer.get(made.op.x)
        if before is None or layer is None or not isinstance(layer.op, (Convolution, Dense)):
            continue
        x, w = (module.producer.get(v) for v in layer.op.operands[:2])
        if x is None or w is None or not isinstance(x.op, Dequantize) or not isinstance(w.op, Dequantize):
            continue
        data = module.constant(w.op.x)
        if data is None or not isinstance(before.op, (Convolution, Dense)):
            continue
        axis = 2 if isinstance(layer.op, DepthwiseConv2d) else 0
        scale = np.broadcast_to(_float32(w.op.scale), (data.shape[axis],))
        out = float(np.float32(made.op.scale))
        yield QuantisedLayer(
            node.result.name, before, layer, float(np.float32(x.op.scale[0])), (data, scale), axis, out
        )


def check_floats(float_module: Module, uncorrected: Module) -> int:
    """Holds weights and biases against the floats that they stand for; the number of layers.

    Args:
        float_module: what was quantised.
        uncorrected: the quantised module, its biases as they were rounded.

    Raises:
        VerificationError: a constant is further from its float than rounding explains; the message names the layer.
    """
    count = 0
    for layer in layers_of(float_module, uncorrected):
        w = float_module.constant(layer.float_node.op.operands[1])
        if w is None:
            continue
        _check_weights(layer, w.astype(np.float64), _float_bias(float_module, layer))
        _check_bias(layer, _float_bias(float_module, layer), bias_of(uncorrected, layer.node))
        count += 1
    return count


def check_biases(float_module: Module, module: Module, meant: Mapping[str, Array]) -> None:
    """Holds corrected biases against the real numbers that the correction came to, by the names of layers' results.

    Raises:
        VerificationError: a bias is further from that than rounding explains; the message names the layer.
    """
    for layer in layers_of(float_module, module):
        if layer.name in meant:
            _check_bias(layer, meant[layer.name], bias_of(module, layer.node), "as corrected")


def bias_of(module: Module, node: Node) -> Array:
    """The bias of a layer, in real numbers; zeros without one."""
    if len(node.op.operands) < 3:
        return np.zeros(node.result.shape[-1])
    made = module.producer[node.op.operands[2]]
    if isinstance(made.op, Constant):
        return made.op.data.array.astype(np.float64)
    data = module.constant(made.op.operands[0])
    assert isinstance(made.op, Dequantize)
    assert data is not None
    return dequantised(made.op, data)


def _float_bias(module: Module, layer: QuantisedLayer) -> Array:
    operands = layer.float_node.op.operands
    array = module.constant(operands[2]) if len(operands) > 2 else None
    return np.zeros(layer.node.result.shape[-1]) if array is None else array.astype(np.float64)


def _check_weights(layer: QuantisedLayer, w: Array, bias: Array) -> None:
    data, scale = layer.weights
    shape = [-1 if d == layer.axis else 1 for d in range(data.ndim)]
    others = tuple(d for d in range(data.ndim) if d != layer.axis)
    off = np.abs(w - data * scale.reshape(shape)) - (0.5 + ROUNDING * LARGEST) * scale.reshape(shape)
    if off.size and off.max() > 0:
        at = tuple(int(i) for i in np.unravel_index(int(np.argmax(off)), off.shape))
        raise VerificationError(
            f"{layer.where}: weight {list(at)} is {w[at]:.6g} in the float model and {data[at]} times "
            f"{scale[at[layer.axis]]:.6g} in int8, more than half a step off"
        )
    largest = np.abs(w).max(axis=others, initial=0.0)
    # A bias that does not fit makes the scale of its channel coarser.
    needed = np.maximum(largest / LARGEST, np.abs(bias) / (layer.input_scale * BIAS_LARGEST))
    wide = np.where(needed > TINY, scale / np.maximum(needed, TINY), 1.0)
    if (wide > 1 + ROUNDING).any():
        c = int(np.argmax(wide))
        raise VerificationError(
            f"{layer.where}: the weights of channel {c} have the scale {scale[c]:.6g} where {needed[c]:.6g} would do"
        )


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
