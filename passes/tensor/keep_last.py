"""The passes `forget-cell` and `keep-last`: what nobody needs of recurrent layers' results is not kept."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

from tinyc.ir.module import Made, Module, Node, made
from tinyc.ir.op import Value, unused
from tinyc.ir.ops import Lstm, Reshape, Slice
from tinyc.ir.ops.recurrent import Steps
from tinyc.passes.core.base import Pass


@dataclass(frozen=True)
class ForgetCell(Pass, name="forget-cell"):
    """Leaves the last cell out of the result of an LSTM where nobody takes it."""

    def run(self, module: Module) -> Module:
        changed: dict[Value, Value] = {}
        for node in module.nodes:
            layer = made(node, Lstm)
            if layer is not None and layer.op.cell and not _takes_cell(module, layer):
                changed[node.result] = Value(node.result.name, dataclasses.replace(layer.op, cell=False).type)
        if not changed:
            return module
        nodes = []
        for node in module.nodes:
            layer = made(node, Lstm)
            op = node.op.replace_operands(changed)
            if layer is not None and node.result in changed:
                op = dataclasses.replace(layer.op.replace_operands(changed), cell=False)
            nodes.append(dataclasses.replace(node, result=changed.get(node.result, node.result), op=op))
        return Module(module.name, module.inputs, tuple(nodes), module.outputs)


def _takes_cell(module: Module, layer: Made[Lstm]) -> bool:
    """Whether anybody takes the entry of the cell, or more than entries of the result."""
    steps = layer.op.kept() - 1
    if layer.result in module.outputs:
        return True
    for user in module.users[layer.result]:
        part = made(user, Slice)
        if part is None or part.op.start[0] + (part.op.size[0] - 1) * part.op.step[0] >= steps or part.op.step[0] < 0:
            return True
    return False


@dataclass(frozen=True)
class KeepLast(Pass, name="keep-last"):
    """Keeps of a recurrent layer's hidden states the last one alone, where none but that is used."""

    def run(self, module: Module) -> Module:
        for node in module.nodes:
            layer = made(node, Steps)
            if layer is not None and layer.op.every and (parts := _parts(module, layer)) is not None:
                module = _with_last(module, layer, parts)
        return module


def _parts(module: Module, layer: Made[Steps]) -> list[Made[Slice]] | None:
    """The slices by which a layer's result is used, if each is of entries that are kept; None where they are not."""
    found: list[Made[Slice]] = []
    op = layer.op
    size = math.prod(op.type.shape[1:])
    kept = [op.last(), *range(op.x.shape[0], op.type.shape[0])]
    if op.x.shape[0] == 1:
        return None
    for value in _shapes(module, layer.result):
        if value in module.outputs:
            return None
        for user in module.users[value]:
            part = made(user, Slice)
            if part is None and made(user, Reshape) is None:
                return None
            if part is None:
                continue
            first, rest = divmod(part.op.view_offset(), size)
            if not part.op.is_view() or rest or part.result.type.size != size or first not in kept:
                return None
            found.append(part)
    return found


def _shapes(module: Module, value: Value) -> Iterator[Value]:
    """A value, and what it is under other shapes."""
    yield value
    for user in module.users[value]:
        again = made(user, Reshape)
        if again is not None:
            yield from _shapes(module, again.result)


def _with_last(module: Module, layer: Made[Steps], parts: list[Made[Slice]]) -> Module:
    """The module with a layer that keeps its last step, and what else it gives behind that."""
    op = layer.op.of_last()
    y = Value(layer.result.name, op.type)
    ends = {p.result: _entry(layer.op, p.op) for p in parts}
    gone = set(_shapes(module, layer.result)) - {layer.result}
    names = {v.name for v in (*module.inputs, *(n.result for n in module.nodes))}
    nodes: list[Node] = []
    for node in module.nodes:
        if node.result == layer.result:
            nodes.append(dataclasses.replace(node, result=y, op=op))
        elif node.result in ends:
            nodes += _entries(node, y, ends[node.result], names)
        elif node.result not in gone:
            nodes.append(node)
    return Module(module.name, module.inputs, tuple(nodes), module.outputs)


def _entry(op: Steps, part: Slice) -> int:
    """Which entry of a result that keeps the last step alone a slice of the whole result is."""
    first = part.view_offset() // math.prod(op.type.shape[1:])
    return 0 if first == op.last() else 1 + first - op.x.shape[0]


def _entries(node: Node, y: Value, entry: int, names: set[str]) -> list[Node]:
    """What computes a node's value of an entry of y."""
    if y.shape[0] == 1:
        return [dataclasses.replace(node, op=Reshape(y, node.result.shape))]
    rest = len(y.shape) - 1
    op = Slice(y, (entry, *(0,) * rest), (1, *y.shape[1:]), (1,) * (rest + 1))
    if op.type == node.result.type:
        return [dataclasses.replace(node, op=op)]
    part = Value(unused(f"{node.result.name}_entry", names), op.type)
    names.add(part.name)
    return [Node(part, op, node.loc), dataclasses.replace(node, op=Reshape(part, node.result.shape))]
