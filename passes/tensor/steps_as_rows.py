"""Steps that come one after the other, as rows: [1, steps, ...], where a network has them first, [steps, 1, ...]."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from tinyc.ir.module import Made, Module, Node, made
from tinyc.ir.op import Value, unused
from tinyc.ir.ops import Reshape, Transpose
from tinyc.ir.ops.recurrent import Steps
from tinyc.ir.types import TensorType
from tinyc.passes.core.base import Pass


@dataclass(frozen=True)
class StepsAsRows(Pass, name="steps-as-rows"):
    """Makes each step of a recurrent layer a row of its result, where the layer goes forward and gives all steps: then
    it advances with the layers around it. A transposition that brings steps to the front, or back, transposes rows."""

    def run(self, module: Module) -> Module:
        build = _Build(module)
        for node in module.nodes:
            layer, turned = made(node, Steps), made(node, Transpose)
            if layer is not None and _comes(layer.op):
                build.recurrent(node, layer.op)
            elif turned is not None and (order := _within_steps(turned)) is not None:
                build.transpose(node, turned.op, order)
            else:
                build.nodes.append(node)
        same = len(build.nodes) == len(module.nodes)
        return module if same else Module(module.name, module.inputs, tuple(build.nodes), module.outputs)


def _comes(op: Steps) -> bool:
    """Whether the steps of a layer may come one after the other."""
    steps, batch, _ = op.sizes
    return not op.signal and batch == 1 and op.kept() == steps > 1 and not op.reverse


def _within_steps(turned: Made[Transpose]) -> tuple[int, ...] | None:
    """How a transposition permutes the dimensions of each step, those behind the first two; None for one that does
    something else, or where steps are rows already or nothing is moved within them."""
    perm, shape = turned.op.perm, turned.op.x.shape
    moves = {(1, 0): 1 in shape[:2], (0, 1): shape[1:2] == (1,) != shape[:1]}
    rest = tuple(p - 2 for p in perm[2:])
    apart = sorted(perm[:2]) == [0, 1] and moves[(perm[0], perm[1])]
    return rest if apart and rest != tuple(sorted(rest)) else None


class _Build:
    """The nodes of the new module, as they are made."""

    def __init__(self, module: Module) -> None:
        self.nodes: list[Node] = []
        self._names = {v.name for v in (*module.inputs, *(n.result for n in module.nodes))}

    def recurrent(self, node: Node, op: Steps) -> None:
        """The layer on the signal that its operand is, and its result as it was."""
        x = self._signal(op.x)
        self._back(node, dataclasses.replace(op, **cast("Any", {"x": x, "signal": True})))

    def transpose(self, node: Node, op: Transpose, order: Sequence[int]) -> None:
        """The transposition of each step."""
        self._back(node, Transpose(self._signal(op.x), (0, 1, *(p + 2 for p in order))))

    def _signal(self, x: Value) -> Value:
        """A value whose first two dimensions are steps and 1, as a signal."""
        first, second, *rest = x.shape
        signal = self._named(f"{x.name}_signal", TensorType((1, first * second, *rest), x.dtype))
        self.nodes.append(Node(signal, Reshape(x, signal.shape), ""))
        return signal

    def _back(self, node: Node, op: Steps | Transpose) -> None:
        """A node whose result is a signal, and that as it was."""
        y = self._named(f"{node.result.name}_signal", op.type)
        self.nodes += [dataclasses.replace(node, result=y, op=op), Node(node.result, Reshape(y, node.result.shape), "")]

    def _named(self, name: str, type_: TensorType) -> Value:
        value = Value(unused(name, self._names), type_)
        self._names.add(value.name)
        return value
