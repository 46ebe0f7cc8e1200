"""Which integer operators compute what of the quantised module: parts of both modules between the same values.

A pass that makes integers keeps the names of quantised values where it keeps the values. Between two such names lies one
operator as a rule; where a value is gone (absorbed, moved, merged), the part reaches further back, to names that both
modules have.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tinyc.ir.module import Module, Node
from tinyc.ir.op import Value
from tinyc.ir.ops import Clamp, Constant, Dense, Dequantize, Quantize
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.types import DType
from tinyc.passes.integerise.unsigned import SIGNED

OFFSET = 128
"""What an int8 value that stands for a uint8 value is less than that."""


@dataclass(frozen=True)
class Region:
    """A quantised value, or a float made from one, and how both modules compute it.

    Attributes:
        node: what computes it on integers.
        definition: what computes it in the quantised module: a quantize, or a dequantize of what is an output.
        own: the integer module's nodes up to `node`, in order, constants among them.
        meant: the quantised module's, up to `definition`.
        taken: what both start from: values of the integer module, and of the quantised one.
    """

    node: Node
    definition: Node
    own: tuple[Node, ...]
    meant: tuple[Node, ...]
    taken: tuple[tuple[Value, Value], ...]

    @property
    def where(self) -> str:
        """What errors call it: the ONNX nodes if they are known."""
        loc = self.node.loc or self.definition.loc
        return f"layer {loc} ({self.node.op.mnemonic})" if loc else self.node.where


    def limits(self) -> tuple[frozenset[Value], float, float]:
        """What limits the real result last: the values whose operators have or are these limits, and the limits. Those
        of integers that it is made of count as well, but not among the values."""
        low, high = -math.inf, math.inf
        found: set[Value] = set()
        made = {n.result: n for n in self.meant}
        node: Node | None = self.definition
        inner = False
        while node is not None:
            op = node.op
            if isinstance(op, (Clamp, Convolution, Dense)):
                if not inner:
                    found.add(node.result)
                limits = (op.min, op.max)
            elif isinstance(op, Dequantize) and op.whole():
                inner = True
                limits = tuple(op.scale[0] * (q - op.zero[0]) for q in op.x.dtype.limits)  # type: ignore[assignment]
            elif not isinstance(op, Quantize):
                break
            else:
                limits = (-math.inf, math.inf)
            # A limit further back is limited by those behind it.
            low, high = (min(max(v, low), high) for v in limits)
            node = None if isinstance(op, (Convolution, Dense)) else made.get(op.operands[0])
        return frozenset(found), low, high


def offset(own: Value, meant: Value) -> int:
    """What is added to the quantised module's integers to get the integer module's."""
    return -OFFSET if (own.dtype, meant.dtype) == (DType.I8, DType.U8) else 0


def find_regions(quantised: Module, integers: Module) -> tuple[list[Region], list[Node]]:
    """The regions of all values that both modules have, in order; and operators of the integer module that are in none.

    Args:
        quantised: float operators between quantize and dequantize.
        integers: what a pass has made of it.
    """
    twins = _twins(quantised, integers)
    regions: list[Region] = []
    covered: set[Value] = set()
    for node in integers.nodes:
        meant = twins.get(node.result)
        definition = quantised.producer.get(meant) if meant is not None else None
        if definition is None or not isinstance(definition.op, (Quantize, Dequantize)):
            continue
        region = _region(quantised, integers, twins, node, definition)
        if region is not None:
            regions.append(region)
            covered.update(n.result for n in region.own)
    left = [n for n in integers.nodes if n.result not in covered and not isinstance(n.op, Constant)]
    return regions, left


def _twins(quantised: Module, integers: Module) -> dict[Value, Value]:
    """Values of the integer module that hold a value of the quantised one: quantised values, and floats."""
    names = {v.name: v for v in (*quantised.inputs, *(n.result for n in quantised.nodes))}
    computed = {n.result for n in quantised.nodes if not isinstance(n.op, (Quantize, Constant))}
    found: dict[Value, Value] = {}
    for value in (*integers.inputs, *(n.result for n in integers.nodes if not isinstance(n.op, Constant))):
        twin = names.get(value.name)
        if twin is None and value.name.endswith(SIGNED):
            twin = names.get(value.name[: -len(SIGNED)])
            if twin is None or (twin.dtype, value.dtype) != (DType.U8, DType.I8):
                continue
        elif twin is None or twin.type != value.type:
            continue
        if twin not in computed or twin.dtype.is_float:
            found[value] = twin
    return found


def _region(
    quantised: Module, integers: Module, twins: Mapping[Value, Value], node: Node, definition: Node
) -> Region | None:
    """The region of one value; None where the modules do not start from the same values."""
    ends: Collection[Value] = twins.keys() - {node.result}
    while True:
        own, starts = _behind(integers, node, ends)
        meant, reached = _behind(quantised, definition, {twins[v] for v in starts})
        taken = [(v, twins[v]) for v in starts if v in twins and twins[v] in reached]
        if {m for _, m in taken} == set(reached):
            unused = [v for v in starts if v not in dict(taken)]
            if not unused:
                return Region(node, definition, own, meant, tuple(taken))
        else:
            unused = [v for v in starts if twins.get(v) not in reached]
        if not unused or all(v in integers.inputs for v in unused):
            return None
        ends = set(ends) - set(unused)


def _behind(module: Module, node: Node, ends: Collection[Value]) -> tuple[tuple[Node, ...], list[Value]]:
    """The nodes that a node's result comes from, in order, back to some values and to inputs; and where it started."""
    wanted = {node.result}
    starts: list[Value] = []
    waiting = list(node.op.operands)
    while waiting:
        value = waiting.pop()
        if value in wanted or value in starts:
            continue
        made = module.producer.get(value)
        if value in ends or made is None:
            starts.append(value)
            continue
        wanted.add(value)
        waiting.extend(made.op.operands)
    return tuple(n for n in module.nodes if n.result in wanted), starts
