"""Which integer operators compute what of the quantised module: parts of both between the same values.

A pass that makes integers keeps the names of quantised values where it keeps the values. Between two such names lies
one operator as a rule; where a value is gone (absorbed, moved, merged), the part reaches further back, to names that
both modules have. Recurrent layers on integers are the same in both: steps of theirs are held against others elsewhere.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from tinyc.compiler.witness.region import Region
from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Value
from tinyc.ir.ops import QRecurrent, Quantize
from tinyc.ir.types import DType
from tinyc.passes.integerise.unsigned import SIGNED


def find_regions(
    quantised: Module, integers: Module, ports: Mapping[Value, Value] | None = None
) -> tuple[list[Region], list[Node]]:
    """The regions of all values that both modules have, in order; and operators of the integer module that are in none.

    Args:
        quantised: float operators between quantize and dequantize.
        integers: what a pass has made of it.
        ports: integers at its interface, and the quantised module's values of the same meaning.
    """
    twins = {**_twins(quantised, integers), **(ports or {})}
    ways = _Walk(integers), _Walk(quantised)
    regions: list[Region] = []
    covered: set[Value] = set()
    for node in integers.nodes:
        meant = twins.get(node.result)
        definition = quantised.producer.get(meant) if meant is not None else None
        if definition is None or (made(definition, Quantize) is None and not _is_number(definition.result)):
            continue
        region = _region(*ways, twins, node, definition)
        if region is not None:
            regions.append(region)
            covered.update(n.result for n in region.own.nodes)
    covered |= {n.result for n in integers.nodes if made(n, QRecurrent) is not None}
    left = [n for n in integers.nodes if n.result not in covered and n.op.constant() is None]
    return regions, left


def _twins(quantised: Module, integers: Module) -> dict[Value, Value]:
    """Values of the integer module that hold a value of the quantised one: quantised values, floats and booleans."""
    names = {v.name: v for v in (*quantised.inputs, *(n.result for n in quantised.nodes))}
    given = {n.result for n in quantised.nodes if made(n, Quantize) is not None or made(n, QRecurrent) is not None}
    computed = {n.result for n in quantised.nodes if n.op.constant() is None} - given
    found: dict[Value, Value] = {}
    for value in (*integers.inputs, *(n.result for n in integers.nodes if n.op.constant() is None)):
        twin = names.get(value.name)
        if twin is None and value.name.endswith(SIGNED):
            twin = names.get(value.name[: -len(SIGNED)])
            if twin is None or (twin.dtype, value.dtype) != (DType.U8, DType.I8):
                continue
        elif twin is None or twin.type != value.type:
            continue
        if twin not in computed or _is_number(twin):
            found[value] = twin
    return found


def _is_number(value: Value) -> bool:
    """Whether a value stands for nothing but itself: floats, and booleans."""
    return value.dtype.is_float or value.dtype is DType.BOOL


class _Walk:
    """Ways back through a module."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self._place = {n.result: k for k, n in enumerate(module.nodes)}

    def behind(self, node: Node, ends: Container[Value]) -> Module:
        """The part that a node's result comes from, back to some values and to inputs, which are the part's inputs."""
        wanted = {node.result: node}
        starts: dict[Value, None] = {}
        waiting = list(node.op.operands)
        while waiting:
            value = waiting.pop()
            if value in wanted or value in starts:
                continue
            before = self.module.producer.get(value)
            if before is None or value in ends:
                starts[value] = None
            else:
                wanted[value] = before
                waiting.extend(before.op.operands)
        nodes = tuple(wanted[v] for v in sorted(wanted, key=self._place.__getitem__))
        return Module(self.module.name, tuple(starts), nodes, (node.result,))


def _region(
    integers: _Walk, quantised: _Walk, twins: Mapping[Value, Value], node: Node, definition: Node
) -> Region | None:
    """The region of one value; None where the modules do not start from the same values."""
    passed = {node.result}
    while True:
        own = integers.behind(node, twins.keys() - passed)
        meant = quantised.behind(definition, {twins[v] for v in own.inputs if v in twins})
        taken = tuple((v, twins[v]) for v in own.inputs if twins.get(v) in meant.inputs)
        needless = [v for v in own.inputs if twins.get(v) not in meant.inputs]
        if not needless and {m for _, m in taken} == set(meant.inputs):
            return Region(own, meant, taken)
        # What only one module takes lies behind: the integer module is followed further back.
        further = [v for v in needless if v not in integers.module.inputs]
        if not further:
            return None
        passed.update(further)
