"""Which integer operators compute what of the quantised module: parts of both between the same values.

A pass that makes integers keeps the names of quantised values where it keeps the values. Between two such names lies
one operator as a rule; where a value is gone (absorbed, moved, merged), the part reaches further back, to names that
both modules have.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import cached_property

from tinyc.ir.module import Module, Node
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import (
    Add,
    AvgPool2d,
    Broadcast,
    Clamp,
    Concat,
    Constant,
    Dense,
    Dequantize,
    Div,
    Gather,
    Maximum,
    MaxPool2d,
    Minimum,
    Mul,
    Pad,
    Quantize,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    Reshape,
    Slice,
    Sub,
    Transpose,
)
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.types import DType
from tinyc.passes.integerise.unsigned import SIGNED

OFFSET = 128
"""What an int8 value that stands for a uint8 value is less than that."""


MOVING = (Reshape, Transpose, Slice, Broadcast)
"""Operators that give elements as they are, whatever they stand for."""
CHOOSING = (*MOVING, Concat, Gather, Pad, Clamp, Maximum, Minimum, MaxPool2d, ReduceMax, ReduceMin)
"""Operators on integers that round nothing."""
ROUNDED_ONCE = (Convolution, Dense, Add, Sub, Mul, Div, ReduceMean, AvgPool2d)
"""Operators whose result an integer operator rounds, and nothing before it."""


@dataclass(frozen=True)
class Region:
    """A quantised value, or a float, and how both modules compute it.

    Attributes:
        node: what computes it on integers.
        definition: what computes it in the quantised module: a quantize, or what gives a float.
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

    @cached_property
    def core(self) -> Op | None:
        """The operator whose result is rounded, moves and limits aside."""
        made = {n.result: n for n in self.meant}
        node = made.get(self.definition.op.operands[0])
        while node is not None and isinstance(node.op, (Clamp, *MOVING)):
            node = made.get(node.op.operands[0])
        return node.op if node is not None else None

    @cached_property
    def rounds_once(self) -> bool:
        """Whether the result is that of one operator on integers that are taken, chosen among and moved, and rounded
        nowhere in between."""
        if not isinstance(self.core, ROUNDED_ONCE):
            return False
        made = {n.result: n for n in self.meant}
        waiting = list(self.core.operands)
        while waiting:
            node = made.get(waiting.pop())
            op = node.op if node is not None else None
            if op is None or isinstance(op, Constant):
                continue
            if isinstance(op, Quantize):
                behind = _chosen(made, op.x)
                if behind is None or any((d.scale, d.zero) != ((op.scale,), (op.zero,)) for d in behind):
                    return False
            elif isinstance(op, (Convolution, Dense)):  # to which a bias is added
                if not isinstance(self.core, Add) or (op.min, op.max) != (-math.inf, math.inf):
                    return False
            elif isinstance(op, Clamp) or not isinstance(op, (Dequantize, *CHOOSING)):
                return False
            waiting.extend(op.operands)
        return True

    @cached_property
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
            elif not isinstance(op, (Quantize, *MOVING)):
                break
            else:
                limits = (-math.inf, math.inf)
            # A limit further back is limited by those behind it.
            low, high = (min(max(v, low), high) for v in limits)
            node = None if isinstance(op, (Convolution, Dense)) else made.get(op.operands[0])
        return frozenset(found), low, high


def _chosen(made: Mapping[Value, Node], value: Value) -> list[Dequantize] | None:
    """What made a float value of integers, if it was only moved or chosen since; else None."""
    node = made.get(value)
    if node is None:
        return None
    if isinstance(node.op, Dequantize):
        return [node.op]
    if isinstance(node.op, Clamp) or not isinstance(node.op, CHOOSING):
        return None
    operands = node.op.operands[:1] if isinstance(node.op, Gather) else node.op.operands
    found = [_chosen(made, v) for v in operands]
    return None if any(f is None for f in found) else [d for f in found if f is not None for d in f]


def offset(own: Value, meant: Value) -> int:
    """What is added to the quantised module's integers to get the integer module's."""
    return -OFFSET if (own.dtype, meant.dtype) == (DType.I8, DType.U8) else 0


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
        if definition is None or not (isinstance(definition.op, Quantize) or definition.result.dtype.is_float):
            continue
        region = _region(*ways, twins, node, definition)
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


class _Walk:
    """Ways back through a module."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self._place = {n.result: k for k, n in enumerate(module.nodes)}

    def behind(self, node: Node, ends: Container[Value]) -> tuple[tuple[Node, ...], list[Value]]:
        """The nodes that a node's result comes from, in order, back to some values and to inputs; and where it
        started."""
        wanted = {node.result: node}
        starts: dict[Value, None] = {}
        waiting = list(node.op.operands)
        while waiting:
            value = waiting.pop()
            if value in wanted or value in starts:
                continue
            made = self.module.producer.get(value)
            if made is None or value in ends:
                starts[value] = None
            else:
                wanted[value] = made
                waiting.extend(made.op.operands)
        return tuple(wanted[v] for v in sorted(wanted, key=self._place.__getitem__)), list(starts)


def _region(
    integers: _Walk, quantised: _Walk, twins: Mapping[Value, Value], node: Node, definition: Node
) -> Region | None:
    """The region of one value; None where the modules do not start from the same values."""
    passed = {node.result}
    while True:
        own, starts = integers.behind(node, twins.keys() - passed)
        meant, reached = quantised.behind(definition, {twins[v] for v in starts if v in twins})
        taken = tuple((v, twins[v]) for v in starts if twins.get(v) in reached)
        needless = [v for v in starts if twins.get(v) not in reached]
        if not needless and {m for _, m in taken} == set(reached):
            return Region(node, definition, own, meant, taken)
        # What only one module takes lies behind: the integer module is followed further back.
        further = [v for v in needless if v not in integers.module.inputs]
        if not further:
            return None
        passed.update(further)
