"""ESP-NN (github.com/espressif/esp-nn, Apache-2.0): int8 kernels, with vector instructions on ESP32-S3 and ESP32-P4."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tinyc.backends.libraries.esp_nn_costs import cycles
from tinyc.backends.libraries.esp_nn_gates import GATES, NONE
from tinyc.backends.libraries.esp_nn_scratch import scratch_bytes
from tinyc.backends.libraries.layer import Layer
from tinyc.backends.libraries.operands import VECTOR, constant, in_place, is_aligned
from tinyc.ir.op import Op
from tinyc.ir.ops import MaxPool2d, QAdd, QAvgPool2d, QConv2d, QDense, QDepthwiseConv2d, QMean, QMul, QSoftmax
from tinyc.ir.ops.conv import Spatial
from tinyc.ir.ops.qconv import QConvolution
from tinyc.ir.rows import RowProgram, Stage
from tinyc.ir.rows.kernels import Offer
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

NAME = "esp-nn"
_RESULT_BY_VECTORS = ("conv", "depthwise", "max_pool", "avg_pool", "add", "mul", "mul_channels")


@dataclass(frozen=True)
class EspNN:
    """ESP-NN as it is on a chip with these vector instructions ("", "esp32s3", "esp32p4")."""

    chip: str = NONE

    @property
    def name(self) -> str:
        """As the component registry has it."""
        return NAME

    def offer(self, program: RowProgram, stage: Stage, whole: bool) -> Offer | str:
        """See `KernelLibrary`."""
        found = layer_of(program, stage, whole)
        if isinstance(found, str):
            return found
        gate = next((g for g in GATES if g.holds(found, self.chip)), None)
        if gate is not None:
            return f"{gate.name}: {gate.because}"
        ours, theirs = cycles(found, self.chip)
        return Offer(scratch_bytes(found, self.chip), 1 if self.chip == NONE else VECTOR, ours, theirs)


def layer_of(program: RowProgram, stage: Stage, whole: bool) -> Layer | str:
    """What the library would be called with; or why it has no function for the stage."""
    op = stage.op
    describe = next((make for kind, make in _LAYERS.items() if type(op) is kind), None)
    if describe is None or any(v.dtype is not DType.I8 for v in (stage.result, op.operands[0])):
        return f"no function for {op.mnemonic} of {op.operands[0].dtype.value}" if op.operands else "no function"
    layer = describe(op)
    if isinstance(op, (QConvolution, QDense)):
        weights, bias = constant(program, op.w), constant(program, op.b)
        if weights is None or bias is None or any(constant(program, v) is None for v in (op.multiplier, op.shift)):
            return "weights or factors are computed"
        layer = replace(layer, largest_sum=_largest_sum(op, layer, weights, bias))
    if not whole:
        plain = isinstance(op, QConv2d) and layer.kernel == layer.strides == (1, 1)
        if not plain or layer.pads or layer.images != 1:
            return "only pointwise convolutions are called row by row"
        layer = replace(layer, height=1, out_height=1)
    touched = [v for v in op.operands if constant(program, v) is None]
    touched += [stage.result] if layer.kind in _RESULT_BY_VECTORS else []
    aligned = all(is_aligned(program, v, whole) for v in touched)
    return replace(layer, aligned=aligned, in_place=in_place(program, stage))


def input_offset(op: QConvolution, layer: Layer) -> int:
    """What the library is told to add to each element of a convolution's operand.

    Our biases have the zero point folded in already, so nothing need be added, which is also less work; except where
    there is padding, which the library takes to be the negative of this.
    """
    return -op.zero if layer.pads else 0


def library_bias(op: QConvolution | QDense, layer: Layer, weights: Array, bias: Array) -> Array:
    """The bias for the library: without the zero point where it adds `input_offset` itself."""
    if isinstance(op, QDense):
        return bias
    axis = 2 if isinstance(op, QDepthwiseConv2d) else 0
    others = tuple(d for d in range(weights.ndim) if d != axis)
    return np.asarray(bias.astype(np.int64) - input_offset(op, layer) * weights.astype(np.int64).sum(axis=others))


def _largest_sum(op: QConvolution | QDense, layer: Layer, weights: Array, bias: Array) -> int:
    offset = 0 if isinstance(op, QDense) else input_offset(op, layer)
    axis = 2 if isinstance(op, QDepthwiseConv2d) else 0
    others = tuple(d for d in range(weights.ndim) if d != axis)
    factor = max(abs(offset - 128), abs(offset + 127))
    products = factor * np.abs(weights.astype(np.int64)).sum(axis=others)
    return int((products + np.abs(library_bias(op, layer, weights, bias))).max(initial=0))


def _window(kind: str, op: Spatial) -> Layer:
    """The part of a layer that all operators with windows share."""
    strides, dilations, pads = op.geometry()
    images, height, width, channels = op.x.shape
    _, out_height, out_width, outputs = op.type.shape
    kh, kw = op.window()
    return Layer(
        kind,
        height,
        width,
        channels,
        out_height,
        out_width,
        outputs,
        kernel=(kh, kw),
        strides=(strides[0], strides[1]),
        begin=(pads[0], pads[1]),
        dilations=(dilations[0], dilations[1]),
        images=images,
        low=getattr(op, "min", -128),
        high=getattr(op, "max", 127),
    )


def _conv(op: Op) -> Layer:
    assert isinstance(op, QConv2d)
    return replace(_window("conv", op), groups=op.groups)


def _depthwise(op: Op) -> Layer:
    assert isinstance(op, QDepthwiseConv2d)
    return replace(_window("depthwise", op), each=op.channel_multiplier())


def _dense(op: Op) -> Layer:
    assert isinstance(op, QDense)
    outputs, inputs = op.w.shape
    rows = op.type.size // outputs
    return Layer("dense", rows, 1, inputs, rows, 1, outputs, low=op.min, high=op.max)


def _max_pool(op: Op) -> Layer:
    assert isinstance(op, MaxPool2d)
    return _window("max_pool", op)


def _avg_pool(op: Op) -> Layer:
    assert isinstance(op, QAvgPool2d)
    return _window("avg_pool", op)


def _mean(op: Op) -> Layer:
    assert isinstance(op, QMean)
    images, height, width, channels = op.x.shape
    return Layer("mean", height, width, channels, 1, 1, channels, images=images, low=op.min, high=op.max)


def _add(op: Op) -> Layer:
    assert isinstance(op, QAdd)
    return Layer("add", 1, 1, op.type.size, 1, 1, op.type.size, low=op.min, high=op.max)


def _mul(op: Op) -> Layer:
    assert isinstance(op, QMul)
    if op.x.type == op.y.type:
        return Layer("mul", 1, 1, op.type.size, 1, 1, op.type.size, low=op.min, high=op.max)
    channels = op.y.type.size
    pixels = op.type.size // channels if channels else 0
    return Layer("mul_channels", 1, pixels, channels, 1, pixels, channels, low=op.min, high=op.max)


def _softmax(op: Op) -> Layer:
    assert isinstance(op, QSoftmax)
    width = op.type.shape[-1]
    rows = op.type.size // width
    return Layer("softmax", rows, 1, width, rows, 1, width, left=op.left)


_LAYERS: Mapping[type[Op], Callable[[Op], Layer]] = {
    QConv2d: _conv,
    QDepthwiseConv2d: _depthwise,
    QDense: _dense,
    MaxPool2d: _max_pool,
    QAvgPool2d: _avg_pool,
    QMean: _mean,
    QAdd: _add,
    QMul: _mul,
    QSoftmax: _softmax,
}
