"""Layers whose limits are operators of their own, so that what is limited can be seen."""

from __future__ import annotations

import math

from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Value
from tinyc.ir.ops import Clamp
from tinyc.ir.ops.layer import LinearLayer

BEFORE = "_unlimited"
"""What a layer's result without its limits is called while it is measured."""


def before_limits(value: Value) -> str | None:
    """What a layer's result is called of which this is what it was before its limits; None for any other value."""
    return value.name.removesuffix(BEFORE) if value.name.endswith(BEFORE) else None


def unlimited(module: Module, names: set[str]) -> Module:
    """The module with the limits of these layers as operators of their own."""
    nodes: list[Node] = []
    for node in module.nodes:
        op = node.op
        layer = made(node, LinearLayer)
        if layer is not None and node.result.name in names:
            free = Value(node.result.name + BEFORE, node.result.type)
            nodes.append(Node(free, layer.op.limited(-math.inf, math.inf), node.loc))
            op = Clamp(free, layer.op.min, layer.op.max)
        nodes.append(Node(node.result, op, node.loc))
    return Module(module.name, module.inputs, tuple(nodes), module.outputs)
