"""One quantised value, or a float, and how an integer module and the quantised one that it was made of compute it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from tinyc.compiler.witness.behind import behind_choices, limited
from tinyc.compiler.witness.kinds import COMPUTING, GIVING, INTEGER
from tinyc.ir.concern import Concern
from tinyc.ir.module import Made, Module, Node, made
from tinyc.ir.op import Value
from tinyc.ir.ops import (
    Add,
    AvgPool2d,
    Constant,
    CumSum,
    Dequantize,
    Div,
    Lookup,
    MatMul,
    MaxPool2d,
    Mul,
    Quantize,
    ReduceMean,
    ReduceSum,
    Sub,
)
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.ops.qinterpolate import OfLines
from tinyc.ir.types import DType

OFFSET = 128
"""What an int8 value that stands for a uint8 value is less than that."""

TOGETHER: Concern[Callable[[Node], bool]] = Concern(
    "single rounding", "register it in compiler/witness/region.py (`TOGETHER`)"
)
"""By operator of the quantised module whose result an integer operator rounds: whether it computes what a node before
it computes as well, and rounds nothing in between."""
TOGETHER.refuse("its integers are those of its operands", *GIVING, MaxPool2d)
TOGETHER.refuse("a table rounds it, or it is computed in floats", *COMPUTING)
TOGETHER.refuse("it rounds by itself", *INTEGER, Lookup, OfLines)
TOGETHER.refuse("it is rounded where it is made", Constant)


@TOGETHER(LinearLayer, MatMul, Sub, Mul, Div, ReduceMean, ReduceSum, CumSum, AvgPool2d)
def _alone(before: Node) -> bool:
    return False


@TOGETHER(Add)
def _bias(before: Node) -> bool:
    """A layer to which a bias is added."""
    layer = made(before, LinearLayer)
    return layer is not None and layer.op.limits() == (-math.inf, math.inf)


@dataclass(frozen=True)
class Region:
    """A quantised value, or a float, and how both modules compute it.

    Attributes:
        own: the part of the integer module that computes it, from `taken` and constants on.
        meant: the part of the quantised module: its last node is a quantize, or what gives a float.
        taken: what both start from: values of the integer module, and of the quantised one.
    """

    own: Module
    meant: Module
    taken: tuple[tuple[Value, Value], ...]

    @cached_property
    def node(self) -> Node:
        """What computes it on integers."""
        return self.own.producer[self.own.outputs[0]]

    @cached_property
    def definition(self) -> Node:
        """What computes it in the quantised module."""
        return self.meant.producer[self.meant.outputs[0]]

    @cached_property
    def quantize(self) -> Made[Quantize] | None:
        """What rounds it in the quantised module; None where it is a float."""
        return made(self.definition, Quantize)

    @property
    def where(self) -> str:
        """What errors call it: the ONNX nodes if they are known."""
        loc = self.node.loc or self.definition.loc
        return f"layer {loc} ({self.node.op.mnemonic})" if loc else self.node.where

    @cached_property
    def core(self) -> Node | None:
        """The node whose result is rounded, moves and limits aside."""
        node = self.meant.producer.get(self.definition.op.operands[0])
        while node is not None and (before := limited(node)) is not None:
            node = self.meant.producer.get(before)
        return node

    @cached_property
    def rounds_once(self) -> bool:
        """Whether the result is that of one operator on integers that are taken, chosen among and moved, and rounded
        nowhere in between."""
        together = TOGETHER.find(type(self.core.op)) if self.core is not None else None
        if self.core is None or together is None:
            return False
        waiting = list(self.core.op.operands)
        while waiting:
            node = self.meant.producer.get(waiting.pop())
            if node is None:
                continue
            if not (self._rounds_nothing(node) or together(node)):
                return False
            waiting.extend(node.op.operands)
        return True

    def _rounds_nothing(self, node: Node) -> bool:
        """Whether a node gives numbers without limits as they were, or quantises integers to the steps they have."""
        again = made(node, Quantize)
        if again is None:
            plain = node.op.constant() is not None or bool(node.op.passes_on())
            return plain or made(node, Dequantize) is not None
        behind = behind_choices(self.meant, again.op.x)
        scale = (again.op.scale,), (again.op.zero,)
        return behind is not None and all((d.scale, d.zero) == scale for d in behind)

    @cached_property
    def limits(self) -> tuple[frozenset[Value], float, float]:
        """What limits the real result last: the values whose operators have or are these limits, and the limits. Those
        of integers that it is made of count as well, but not among the values."""
        low, high = -math.inf, math.inf
        found: set[Value] = set()
        node: Node | None = self.definition
        inner = False
        while node is not None:
            limits, before = _limits(node)
            if limits is None:
                break
            inner = inner or made(node, Dequantize) is not None
            if not inner and node.op.limits() is not None:
                found.add(node.result)
            # A limit further back is limited by those behind it.
            low, high = (min(max(v, low), high) for v in limits)
            node = self.meant.producer.get(before) if before is not None else None
        return frozenset(found), low, high


def _limits(node: Node) -> tuple[tuple[float, float] | None, Value | None]:
    """What a node limits real numbers to, and the value that it takes these from and does nothing else with. No limits
    where it computes numbers that have none."""
    scales, rounded = made(node, Dequantize), made(node, Quantize)
    if scales is not None:
        return _represented(scales.op), scales.op.x
    before = rounded.op.x if rounded is not None else limited(node)
    limits = node.op.limits() if node.result.dtype.is_float else None
    return ((-math.inf, math.inf) if limits is None and before is not None else limits), before


def _represented(op: Dequantize) -> tuple[float, float] | None:
    """The least and the largest number that the integers of a dequantize stand for, if that is one for all."""
    low, high = op.x.dtype.limits
    return (op.scale[0] * (low - op.zero[0]), op.scale[0] * (high - op.zero[0])) if op.whole() else None


def offset(own: Value, meant: Value) -> int:
    """What is added to the quantised module's integers to get the integer module's."""
    return -OFFSET if (own.dtype, meant.dtype) == (DType.I8, DType.U8) else 0
