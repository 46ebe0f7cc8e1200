"""Pairs of layers whose common channels may be scaled, and their weights while they are."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Module, Node, remove_dead
from tinyc.ir.op import Op, Value, unused
from tinyc.ir.ops import (
    AvgPool2d,
    Constant,
    Conv2d,
    Dense,
    DepthwiseConv2d,
    LeakyRelu,
    MaxPool2d,
    ReduceMean,
    Reshape,
)
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.tensor import Array, Tensor


@dataclass(frozen=True)
class Pair:
    """Two layers; every value between them has one use."""

    first: Node
    second: Node


def find_pairs(module: Module) -> list[Pair]:
    """Layers that follow each other, with nothing between but what leaves channels apart and is homogeneous."""
    found = []
    for node in module.nodes:
        if _scales_out(module, node):
            value: Value | None = node.result
            while value is not None and value not in module.outputs and len(module.users[value]) == 1:
                user = module.users[value][0]
                if _scales_in(module, user, value):
                    found.append(Pair(node, user))
                    break
                value = user.result if _passes_channels(user.op) else None
    return found


def _constant_weights(module: Module, node: Node) -> bool:
    return all(module.constant(v) is not None for v in node.op.operands[1:])


def _scales_out(module: Module, node: Node) -> bool:
    """Whether a layer's result may be scaled channel by channel."""
    op = node.op
    return (
        isinstance(op, (Convolution, Dense))
        and _constant_weights(module, node)
        and op.min in (0.0, -math.inf)
        and (op.max == math.inf or op.min == 0.0)
    )


def _scales_in(module: Module, node: Node, value: Value) -> bool:
    """Whether a layer can take an operand whose channels are scaled."""
    op = node.op
    if not isinstance(op, (Conv2d, DepthwiseConv2d, Dense)) or op.x != value or not _constant_weights(module, node):
        return False
    return isinstance(op, Dense) or op.pad_value == 0.0 or not any(op.pads)


def _passes_channels(op: Op) -> bool:
    """Whether an operator does the same to every channel (the last dimension), and scales with what it takes."""
    if isinstance(op, Reshape):
        return op.shape[-1:] == op.x.shape[-1:]
    if isinstance(op, ReduceMean):
        return op.x.type.rank - 1 not in op.axes
    return isinstance(op, (MaxPool2d, AvgPool2d, LeakyRelu))


class PairWeights:
    """The weights of a module while they are scaled, in float64. A constant that several operators use is copied."""

    def __init__(self, module: Module, pairs: Collection[Pair]) -> None:
        self._module = module
        self._arrays: dict[tuple[Value, int], Array] = {}
        for node in dict.fromkeys(n for p in pairs for n in (p.first, p.second)):
            for place, value in enumerate(node.op.operands[1:], 1):
                array = module.constant(value)
                assert array is not None
                self._arrays[node.result, place] = array.astype(np.float64)

    def outgoing(self, node: Node) -> Array:
        """The largest weight of each output channel."""
        w = np.abs(self._arrays[node.result, 1])
        axis = 2 if isinstance(node.op, DepthwiseConv2d) else 0
        return np.asarray(w.max(axis=tuple(d for d in range(w.ndim) if d != axis)))

    def incoming(self, node: Node) -> Array:
        """The largest weight that meets each input channel."""
        w = np.abs(self._arrays[node.result, 1])
        return np.asarray(_by_input(node.op, w).max(axis=(0, 2)))

    def taken(self, pair: Pair, channels: Array) -> tuple[Array, Array]:
        """The second layer's weights as [output, place in the window, input], and numbers of the channels between the
        layers as [output, input]: those that each output takes."""
        op, w = pair.second.op, self._arrays[pair.second.result, 1]
        if isinstance(op, DepthwiseConv2d):
            w = np.moveaxis(w, 2, 0)[..., np.newaxis]
        outputs = w.shape[0]
        w = w.reshape(outputs, -1, w.shape[-1])
        groups = len(channels) // w.shape[2]
        return w, channels.reshape(groups, -1)[np.arange(outputs) * groups // outputs]

    def scale(self, pair: Pair, s: Array) -> None:
        """Divides the channels between two layers by s."""
        for place, array in ((k[1], a) for k, a in list(self._arrays.items()) if k[0] == pair.first.result):
            axis = 2 if isinstance(pair.first.op, DepthwiseConv2d) and place == 1 else 0
            self._arrays[pair.first.result, place] = array / s.reshape(
                [-1 if d == axis else 1 for d in range(array.ndim)]
            )
        key = (pair.second.result, 1)
        view = _by_input(pair.second.op, self._arrays[key]) * s[None, :, None]
        self._arrays[key] = _from_input(pair.second.op, view, self._arrays[key].shape)

    def module(self) -> Module:
        """The module with the scaled weights."""
        nodes: list[Node] = []
        names = {n.result.name for n in self._module.nodes} | {v.name for v in self._module.inputs}
        for node in self._module.nodes:
            operands = list(node.op.operands)
            for place in range(1, len(operands)):
                array = self._arrays.get((node.result, place))
                if array is not None:
                    value = Value(unused(f"{operands[place].name}_equal", names), operands[place].type)
                    names.add(value.name)
                    nodes.append(Node(value, Constant(Tensor(array.astype(np.float32))), node.loc))
                    operands[place] = value
            nodes.append(Node(node.result, node.op.with_operands(operands), node.loc))
        return remove_dead(Module(self._module.name, self._module.inputs, tuple(nodes), self._module.outputs))


def _by_input(op: Op, w: Array) -> Array:
    """Weights as [other, input channel, other]."""
    if isinstance(op, DepthwiseConv2d):
        return w.reshape(w.shape[0] * w.shape[1], op.x.shape[3], -1)
    if isinstance(op, Conv2d):
        # [group, output, height, width, input] to [output and window, group and input].
        per = w.shape[0] // op.groups
        split = w.reshape(op.groups, per, w.shape[1], w.shape[2], w.shape[3])
        return np.moveaxis(split, 0, 3).reshape(per * w.shape[1] * w.shape[2], -1, 1)
    return w[:, :, None]


def _from_input(op: Op, view: Array, shape: tuple[int, ...]) -> Array:
    """The inverse of `_by_input`."""
    if isinstance(op, Conv2d):
        per = shape[0] // op.groups
        split = view.reshape(per, shape[1], shape[2], op.groups, shape[3])
        return np.moveaxis(split, 3, 0).reshape(shape)
    return view.reshape(shape)
