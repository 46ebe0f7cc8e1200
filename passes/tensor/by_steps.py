"""Recurrent layers of a signal, whose steps come one after the other."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, cast

from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Value, unused
from tinyc.ir.ops import Reshape
from tinyc.ir.ops.recurrent import Steps
from tinyc.ir.types import TensorType
from tinyc.passes.core.base import Pass


@dataclass(frozen=True)
class RecurrentBySteps(Pass, name="recurrent-by-steps"):
    """Makes each step of a recurrent layer a row of its result, where it goes forward and keeps them all: then it
    advances with the layers around it."""

    def run(self, module: Module) -> Module:
        if not any(_comes(layer.op) for layer in module.made_by(Steps)):
            return module
        names = {v.name for v in (*module.inputs, *(n.result for n in module.nodes))}
        nodes: list[Node] = []
        for node in module.nodes:
            layer = made(node, Steps)
            nodes += [node] if layer is None or not _comes(layer.op) else _of_signal(node, layer.op, names)
        return Module(module.name, module.inputs, tuple(nodes), module.outputs)


def _comes(op: Steps) -> bool:
    """Whether the steps of a layer may come one after the other."""
    steps, batch, _ = op.sizes
    return not op.signal and batch == 1 and op.kept() == steps > 1 and not op.reverse


def _of_signal(node: Node, op: Steps, names: set[str]) -> list[Node]:
    """The layer on the signal that its operand is, and its result as it was."""
    steps, _, inputs = op.sizes
    x = _named(f"{op.x.name}_signal", TensorType((1, steps, inputs), op.x.dtype), names)
    layer = dataclasses.replace(op, **cast("Any", {"x": x, "signal": True}))
    y = _named(f"{node.result.name}_signal", layer.type, names)
    return [
        Node(x, Reshape(op.x, x.shape), ""),
        dataclasses.replace(node, result=y, op=layer),
        Node(node.result, Reshape(y, node.result.shape), ""),
    ]


def _named(name: str, type_: TensorType, names: set[str]) -> Value:
    value = Value(unused(name, names), type_)
    names.add(value.name)
    return value
