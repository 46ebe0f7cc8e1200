"""ESP-NN (github.com/espressif/esp-nn, Apache-2.0): int8 kernels, with vector instructions on ESP32-S3 and ESP32-P4."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinyc.backends.libraries.by_rows import estimated, forms, memory
from tinyc.backends.libraries.call import LibraryCall
from tinyc.backends.libraries.esp_nn_costs import instructions
from tinyc.backends.libraries.esp_nn_gates import GATES, NONE
from tinyc.backends.libraries.esp_nn_scratch import scratch_bytes
from tinyc.backends.libraries.operands import VECTOR, constant, in_place, is_aligned
from tinyc.ir.concern import Concern
from tinyc.ir.ops import MaxPool2d, QAdd, QAvgPool2d, QConv2d, QDense, QDepthwiseConv2d, QMean, QMul, QSoftmax
from tinyc.ir.ops.conv import Spatial
from tinyc.ir.ops.int8 import activations_of
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.rows import RowProgram, Stage
from tinyc.ir.rows.kernels import Offer
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

NAME = "esp-nn"
_RESULT_BY_VECTORS = ("conv", "depthwise", "max_pool", "avg_pool", "add", "mul", "mul_channels")

CALLS: Concern[Callable[[RowProgram, Any], LibraryCall | str]] = Concern(
    "call of ESP-NN",
    "register in backends/libraries/esp_nn.py what its function is called with (`CALLS`)",
    "ESP-NN has no function for it",
)
"""What the function for a whole operator is called with; or why it cannot be. Most operators have none."""


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
        found = call_of(program, stage, whole, self.chip)
        if isinstance(found, str):
            return found
        asked, calls = scratch_bytes(found, self.chip), 1 if whole else stage.rows
        alignment = 1 if self.chip == NONE else VECTOR
        return Offer(memory(found, asked), alignment, estimated(found, instructions(found, self.chip), calls))


def call_of(program: RowProgram, stage: Stage, whole: bool, chip: str) -> LibraryCall | str:
    """What the library is called with for the whole of a stage, or for each of its rows, on a chip with these vector
    instructions; or why it has no function for it, or must not be called."""
    op = stage.op
    if whole and any(program.repeats(v.name) > 1 for v in op.operands):
        return "rows of its operand are kept once and read several times"
    others = [v for v in (*activations_of(op), stage.result) if v.dtype is not DType.I8]
    if CALLS.find(type(op)) is None or others:
        of = (others or op.operands)[:1]
        return f"no function for {op.mnemonic} of {of[0].dtype.value}" if of else "no function"
    reasons = []
    for form, gathered in [(op, None)] if whole else forms(stage):
        call = CALLS.of(form)(program, form)
        if isinstance(call, str):
            return call
        call = _placed(program, stage, whole, replace(call, gathered=gathered), chip)
        gate = next((g for g in GATES if g.holds(call, chip)), None)
        if gate is None:
            return call
        reasons.append(f"{gate.name}: {gate.because}")
    return reasons[0] if reasons else "it has no rows that are computed one by one"


def _placed(program: RowProgram, stage: Stage, whole: bool, call: LibraryCall, chip: str) -> LibraryCall:
    """A call with where its operands and its result lie. What is gathered is aligned, and the result may lie over it;
    where that is not aligned it is put aside."""
    operands = [v for v in stage.op.operands if constant(program, v) is None]
    stored = is_aligned(program, stage.result, whole) or call.kind not in _RESULT_BY_VECTORS
    if call.gathered is None:
        aligned = stored and all(is_aligned(program, v, whole) for v in operands)
        return replace(call, aligned=aligned, in_place=in_place(program, stage))
    aligned = all(is_aligned(program, v, whole) for v in operands[1:])
    return replace(call, aligned=aligned, aside=chip != NONE and not stored)


def input_offset(op: IntegerLayer, call: LibraryCall) -> int:
    """What the library is told to add to each element of a layer's operand.

    Our biases have the zero point folded in already, so nothing need be added, which is also less work; except where
    there is padding, which the library takes to be the negative of this.
    """
    return -int(op.outside() or 0) if call.pads else 0


def library_bias(op: IntegerLayer, call: LibraryCall, weights: Array, bias: Array) -> Array:
    """The bias for the library: without the zero point where it adds `input_offset` itself."""
    sums = op.by_output(weights.astype(np.int64)).sum(axis=1)
    return np.asarray(bias.astype(np.int64) - input_offset(op, call) * sums)


def _weighted(program: RowProgram, op: IntegerLayer, call: LibraryCall) -> LibraryCall | str:
    """The call of a layer with weights."""
    weights, bias = constant(program, op.w), constant(program, op.b)
    if weights is None or bias is None or any(constant(program, v) is None for v in (op.multiplier, op.shift)):
        return "weights or factors are computed"
    offset = input_offset(op, call)
    factor = max(abs(offset - 128), abs(offset + 127))
    products = factor * np.abs(op.by_output(weights.astype(np.int64))).sum(axis=1)
    largest = (products + np.abs(library_bias(op, call, weights, bias))).max(initial=0)
    return replace(call, largest_sum=int(largest))


def _window(kind: str, op: Spatial) -> LibraryCall:
    """The part of a call that all operators with windows share."""
    strides, dilations, pads = op.geometry()
    images, height, width, channels = op.x.shape
    _, out_height, out_width, outputs = op.type.shape
    kh, kw = op.window()
    low, high = op.limits() or DType.I8.limits
    return LibraryCall(
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
        low=int(low),
        high=int(high),
    )


@CALLS(QConv2d)
def _conv(program: RowProgram, op: QConv2d) -> LibraryCall | str:
    return _weighted(program, op, replace(_window("conv", op), groups=op.groups))


@CALLS(QDepthwiseConv2d)
def _depthwise(program: RowProgram, op: QDepthwiseConv2d) -> LibraryCall | str:
    return _weighted(program, op, replace(_window("depthwise", op), each=op.channel_multiplier()))


@CALLS(QDense)
def _dense(program: RowProgram, op: QDense) -> LibraryCall | str:
    outputs, inputs = op.w.shape
    rows = op.type.size // outputs
    call = LibraryCall("dense", rows, 1, inputs, rows, 1, outputs, low=op.min, high=op.max)
    return _weighted(program, op, call)


@CALLS(MaxPool2d)
def _max_pool(_: RowProgram, op: MaxPool2d) -> LibraryCall:
    return _window("max_pool", op)


@CALLS(QAvgPool2d)
def _avg_pool(_: RowProgram, op: QAvgPool2d) -> LibraryCall:
    return _window("avg_pool", op)


@CALLS(QMean)
def _mean(_: RowProgram, op: QMean) -> LibraryCall:
    images, height, width, channels = op.x.shape
    return LibraryCall("mean", height, width, channels, 1, 1, channels, images=images, low=op.min, high=op.max)


@CALLS(QAdd)
def _add(_: RowProgram, op: QAdd) -> LibraryCall:
    n, whole = op.type.size, op.whole() is not None
    return LibraryCall("add", 1, 1, n, 1, 1, n, low=op.min, high=op.max, whole=whole)


@CALLS(QMul)
def _mul(_: RowProgram, op: QMul) -> LibraryCall:
    if op.x.type == op.y.type:
        return LibraryCall("mul", 1, 1, op.type.size, 1, 1, op.type.size, low=op.min, high=op.max)
    channels = op.y.type.size
    pixels = op.type.size // channels if channels else 0
    return LibraryCall("mul_channels", 1, pixels, channels, 1, pixels, channels, low=op.min, high=op.max)


@CALLS(QSoftmax)
def _softmax(_: RowProgram, op: QSoftmax) -> LibraryCall:
    width = op.type.shape[-1]
    rows = op.type.size // width
    return LibraryCall("softmax", rows, 1, width, rows, 1, width, left=op.left)
