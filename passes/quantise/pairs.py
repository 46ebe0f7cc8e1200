"""Pairs of layers whose common channels may be scaled, and their weights while they are."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Builder, Made, Module, Node, made, remove_dead
from tinyc.ir.op import Value
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array

LayerNode = Made[LinearLayer]


@dataclass(frozen=True)
class Pair:
    """Two layers; every value between them has one use."""

    first: LayerNode
    second: LayerNode


def find_pairs(module: Module) -> list[Pair]:
    """Layers that follow each other, with nothing between but what leaves channels apart and is homogeneous."""
    found = []
    for layer in module.made_by(LinearLayer):
        if _scales_out(module, layer):
            value: Value | None = layer.result
            while value is not None and module.taken_once(value):
                user = module.users[value][0]
                second = made(user, LinearLayer)
                if second is not None and _scales_in(module, second, value):
                    found.append(Pair(layer, second))
                    break
                value = user.result if user.op.keeps_channels() else None
    return found


def _constant_weights(module: Module, layer: LayerNode) -> bool:
    return all(module.constant(v) is not None for v in layer.op.operands[1:])


def _scales_out(module: Module, layer: LayerNode) -> bool:
    """Whether a layer's result may be scaled channel by channel."""
    low, high = layer.op.min, layer.op.max
    return _constant_weights(module, layer) and low in (0.0, -math.inf) and (high == math.inf or low == 0.0)


def _scales_in(module: Module, layer: LayerNode, value: Value) -> bool:
    """Whether a layer can take an operand whose channels are scaled."""
    return layer.op.x == value and _constant_weights(module, layer) and layer.op.outside() in (None, 0.0)


class PairWeights:
    """The weights of a module while they are scaled, in float64. A constant that several operators use is copied."""

    def __init__(self, module: Module, pairs: Collection[Pair]) -> None:
        self._module = module
        self._arrays: dict[tuple[Value, int], Array] = {}
        for layer in dict.fromkeys(layer for p in pairs for layer in (p.first, p.second)):
            for place, value in enumerate(layer.op.operands[1:], 1):
                array = module.constant(value)
                assert array is not None
                self._arrays[layer.result, place] = array.astype(np.float64)

    def outgoing(self, layer: LayerNode) -> Array:
        """The largest weight of each output channel."""
        return np.asarray(layer.op.by_output(np.abs(self._arrays[layer.result, 1])).max(axis=1))

    def incoming(self, layer: LayerNode) -> Array:
        """The largest weight that meets each input channel."""
        largest = np.abs(self._weights(layer)).max(axis=1)
        groups = layer.op.x.shape[-1] // largest.shape[1]
        return np.asarray(largest.reshape(groups, -1, largest.shape[1]).max(axis=1).reshape(-1))

    def taken(self, pair: Pair, channels: Array) -> tuple[Array, Array]:
        """The second layer's weights as [output, place in the window, input], and numbers of the channels between the
        layers as [output, input]: those that each output takes."""
        w = self._weights(pair.second)
        outputs, groups = w.shape[0], len(channels) // w.shape[2]
        return w, channels.reshape(groups, -1)[np.arange(outputs) * groups // outputs]

    def _weights(self, layer: LayerNode) -> Array:
        """A layer's weights as [output, place in the window, input that the output takes]."""
        w = layer.op.by_output(self._arrays[layer.result, 1])
        return w.reshape(len(w), -1, layer.op.fan_in())

    def scale(self, pair: Pair, s: Array) -> None:
        """Divides the channels between two layers by s."""
        first, second = pair.first, pair.second
        for place, array in ((k[1], a) for k, a in list(self._arrays.items()) if k[0] == first.result):
            self._arrays[first.result, place] = array / (first.op.per_output(s) if place == 1 else s)
        key = (second.result, 1)
        self._arrays[key] = self._arrays[key] * second.op.per_input(s)

    def module(self) -> Module:
        """The module with the scaled weights."""
        builder = Builder.within(self._module)
        for node in self._module.nodes:
            operands = list(node.op.operands)
            for place in range(1, len(operands)):
                array = self._arrays.get((node.result, place))
                if array is not None:
                    hint = f"{operands[place].name}_equal"
                    operands[place] = builder.constant(array.astype(np.float32), hint, node.loc)
            builder.put(Node(node.result, node.op.with_operands(operands), node.loc))
        return remove_dead(Module(self._module.name, self._module.inputs, builder.nodes, self._module.outputs))
