"""A layer that normalises the channels of pixels: it is held against what each pixel means, and left out then."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.behind import moved
from tinyc.compiler.witness.region import OFFSET
from tinyc.ir.module import Module, Node, made, remove_dead
from tinyc.ir.op import Value
from tinyc.ir.ops import QDepthwiseConv2d, Quantize
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType
from tinyc.passes.integerise import ScaledPort

NEAREST = 1e-5
"""Relative: what is rounded to float32 on the way from a pixel to an integer."""
BYTES = np.arange(256).astype(np.uint8)


@dataclass(frozen=True)
class Normalised:
    """A module whose input is integers in place of pixels, and the integer for each pixel, [256, channels].

    `axis` is the dimension of channels, from the end.
    """

    module: Module
    input: Value
    table: Array
    axis: int

    def of(self, pixels: Array) -> Array:
        """The integers for an image."""
        shape = [1] * pixels.ndim
        shape[self.axis] = -1
        return np.asarray(self.table[pixels, np.arange(self.table.shape[1]).reshape(shape)])


def normalised(integers: Module, pixels: Value, conversion: Quantize, port: ScaledPort) -> Normalised | None:
    """The module behind the layer that makes integers of pixels, each as near as can be to what that pixel stands for
    in steps of the quantize; None where channels are all the same, or no such layer takes the pixels.

    Raises:
        VerificationError: it makes something else of them.
    """
    layer = _layer(integers, pixels, port) if port.channels else None
    if layer is None:
        return None
    node, given, order = layer
    found = made(node, QDepthwiseConv2d)
    assert found is not None
    constants = [integers.constant(v) for v in found.op.operands[1:]]
    if any(c is None for c in constants):
        return None
    count = len(port.channels)
    every = np.broadcast_to(given.reshape(1, 1, 256, 1), (1, 1, 256, count))
    seen = dataclasses.replace(found.op, x=Value("pixels", TensorType(every.shape, DType.I8)))
    table = np.zeros((256, count), np.int8)
    table[:, order] = seen.run([every.astype(np.int8), *[c for c in constants if c is not None]])[0, 0]
    _check(node.where, table, conversion, port)
    taken = Value(pixels.name, TensorType(pixels.shape, DType.I8))
    inputs = tuple(taken if v == pixels else v for v in integers.inputs)
    # What moves pixels moves these integers, and the layer is what it takes.
    replaced = {_centred(integers, pixels): taken}
    nodes: list[Node] = []
    for other in integers.nodes:
        if other is node:
            replaced[node.result] = replaced.get(found.op.x, found.op.x)
        else:
            nodes.append(Node(other.result, other.op.replace_operands(replaced), other.loc))
    outputs = tuple(replaced.get(v, v) for v in integers.outputs)
    return Normalised(remove_dead(Module(integers.name, inputs, tuple(nodes), outputs)), taken, table, port.axis)


def _only(integers: Module, value: Value) -> Node | None:
    """The one node that uses a value which is no output."""
    users = integers.users[value]
    return users[0] if len(users) == 1 and value not in integers.outputs else None


def _centred(integers: Module, pixels: Value) -> Value:
    """Pixels behind what is computed element by element."""
    value = pixels
    while (node := _only(integers, value)) is not None and node.op.elementwise() and moved(node.op) is None:
        value = node.result
    return value


def _layer(integers: Module, pixels: Value, port: ScaledPort) -> tuple[Node, Array, Array] | None:
    """The layer of one pixel that takes them, what it gets for each of the bytes, and which channel is which there."""
    shape = [1] * pixels.type.rank
    shape[port.axis] = -1
    value, given = pixels, BYTES
    channels = np.broadcast_to(np.arange(len(port.channels)).reshape(shape), pixels.shape)
    while (node := _only(integers, value)) is not None:
        layer = made(node, QDepthwiseConv2d)
        if layer is not None:
            rows = channels.reshape(-1, channels.shape[-1])
            plain = layer.op.window() == (1, 1) and layer.op.channel_multiplier() == 1 and bool((rows == rows[0]).all())
            return (node, given, rows[0]) if plain else None
        if moved(node.op) == value:
            channels = node.op.evaluate(channels)
        elif node.op.elementwise():
            alone = node.op.replace_operands({value: Value("pixels", TensorType(given.shape, value.dtype))})
            operands = [given if v.name == "pixels" else integers.constant(v) for v in alone.operands]
            if any(a is None for a in operands) or alone.type.shape != given.shape:
                return None
            given = alone.run([a for a in operands if a is not None])
        else:
            return None
        value = node.result
    return None


def _check(where: str, table: Array, conversion: Quantize, port: ScaledPort) -> None:
    zero = conversion.zero - (OFFSET if conversion.to is DType.U8 else 0)
    for channel, (scale, middle) in enumerate(port.channels):
        real = (np.arange(256) - middle) * scale / float(np.float32(conversion.scale)) + zero
        off = np.abs(table[:, channel] - np.clip(real, -OFFSET, OFFSET - 1))
        if off.max() > 0.5 + NEAREST * OFFSET:
            pixel = int(off.argmax())
            raise VerificationError(
                f"{where}: pixel {pixel} of channel {channel} becomes {table[pixel, channel]}, and stands for "
                f"{real[pixel]:.5g}"
            )
