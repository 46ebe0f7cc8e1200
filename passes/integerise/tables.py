"""Elementwise functions of one int8 value: any chain of them is one table of 256 entries, exact by construction."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyc.ir import expr
from tinyc.ir.module import Node
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import (
    Clamp,
    Dequantize,
    Elementwise,
    Lookup,
    QAdd,
    QAvgPool2d,
    QConvolution,
    QDense,
    QMean,
    QMul,
    Quantize,
)
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.core.rewrite import Replaced, Rewriter, Skip
from tinyc.passes.integerise.scales import INT8, Scale, clip_of

LIMITED = (QConvolution, QDense, QAdd, QMul, QAvgPool2d, QMean)
"""Integer operators with limits of their own."""


def table_op(x: Value, table: Array, rewriter: Rewriter) -> Op | Value:
    """What computes table[x + 128]: the value itself, a clamp, or a lookup."""
    return clip_of(x, table) or Lookup(x, rewriter.constant_value(table, "table"))


def rescaled(x: Value, have: Scale, want: Scale, rewriter: Rewriter, low: int = -128, high: int = 127) -> Op | Value:
    """What brings int8 values from one scale to another, and limits them."""
    table = np.clip(want.quantized(have.dequantized(INT8)), low, high).astype(np.int8)
    return table_op(x, table, rewriter)


def chain_to_table(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Replace what depends on one int8 value, element by element, by a table."""
    if not isinstance(node.op, Quantize) or node.op.to is not DType.I8:
        return None
    chain = _Chain(rewriter)
    if not chain.reach(node.op.x, node.result.shape):
        return None
    sources = chain.sources
    if len(sources) > 1:
        sources = dict.fromkeys(_behind_table(v, rewriter) for v in sources)
    if len(sources) != 1:
        return None
    source = next(iter(sources))
    if source.shape != node.result.shape:
        return None
    table = Scale.of(node.op).quantized(np.broadcast_to(chain.column(node.op.x, source), INT8.shape))
    return Replaced(table_op(source, table.astype(np.int8), rewriter), tuple(chain.nodes))


def _behind_table(value: Value, rewriter: Rewriter) -> Value:
    """The value that a lookup or clamp takes, or the value itself if it is the result of anything else."""
    node = rewriter.producer(value)
    return node.op.x if node is not None and isinstance(node.op, (Lookup, Clamp)) else value


class _Chain:
    """The elementwise operators between int8 values and a float value."""

    def __init__(self, rewriter: Rewriter) -> None:
        self._rewriter = rewriter
        self._known: dict[Value, Array] = {}
        self._seen: set[Value] = set()
        self.sources: dict[Value, None] = {}
        self.nodes: list[Node] = []

    def reach(self, value: Value, shape: tuple[int, ...]) -> bool:
        """Collects the int8 values and operators that a value of this shape comes from; False if there are others."""
        if value in self._seen:
            return True
        self._seen.add(value)
        node = self._rewriter.producer(value)
        if self._number(value) is not None:
            return True
        if value.shape != shape:
            return False
        if value.dtype is DType.I8:
            self.sources[value] = None
            return True
        if node is None or not isinstance(node.op, Elementwise):
            return False
        if isinstance(node.op, Dequantize) and not node.op.whole():
            return False
        if not all(self.reach(v, shape) for v in node.op.operands):
            return False
        self.nodes.append(node)
        return True

    def _number(self, value: Value) -> Array | None:
        """The number that all elements of a constant are, as an array without dimensions."""
        node = self._rewriter.producer(value)
        if node is not None and isinstance(node.op, Dequantize) and node.op.whole():
            inner = self._number(node.op.x)
            return None if inner is None else expr.evaluate(node.op.expression(), [inner])
        array = self._rewriter.constant(value)
        if array is None or array.size == 0 or not (array == array.flat[0]).all():
            return None
        return np.asarray(array.flat[0])

    def column(self, value: Value, source: Value) -> Array:
        """A value's elements for all elements that the source can have."""
        if value == source:
            return INT8
        if value not in self._known:
            self._known[value] = self._column(value, source)
        return self._known[value]

    def _column(self, value: Value, source: Value) -> Array:
        number = self._number(value)
        if number is not None:
            return number
        node = self._rewriter.producer(value)
        assert node is not None
        if isinstance(node.op, Lookup):
            table = self._rewriter.constant(node.op.table)
            assert table is not None
            return np.asarray(table[self.column(node.op.x, source).astype(np.int64) + 128])
        assert isinstance(node.op, Elementwise)
        return expr.evaluate(node.op.expression(), [self.column(v, source) for v in node.op.operands])


def merge_tables(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Merge a table or clamp of a table or clamp."""
    table = _table(node.op, rewriter)
    if table is None or not isinstance(node.op, (Lookup, Clamp)):
        return None
    before = rewriter.producer(node.op.x)
    inner = _table(before.op, rewriter) if before is not None else None
    if before is None or inner is None or not isinstance(before.op, (Lookup, Clamp)):
        return None
    return Replaced(table_op(before.op.x, table[inner.astype(np.int64) + 128], rewriter), (before,))


def _table(op: Op, rewriter: Rewriter) -> Array | None:
    """The table of a lookup or an int8 clamp."""
    if isinstance(op, Lookup):
        return rewriter.constant(op.table)
    if isinstance(op, Clamp) and op.x.dtype is DType.I8:
        return np.clip(INT8, max(op.min, -128), min(op.max, 127)).astype(np.int8)
    return None


def table_into_limits(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Fuse a table that only limits into the integer operator before it."""
    table = _table(node.op, rewriter)
    if table is None or not isinstance(node.op, (Lookup, Clamp)):
        return None
    before = rewriter.producer(node.op.x)
    if before is None or not isinstance(before.op, LIMITED):
        return None
    if rewriter.uses(node.op.x) > 1:
        return Skip(f"{node.op.x} is also used without the limits")
    op = before.op
    reached = np.arange(op.min, op.max + 1)
    given = table[reached + 128].astype(np.int64)
    low, high = int(given[0]), int(given[-1])
    if low > high or not np.array_equal(given, np.clip(reached, low, high)):
        return None
    return Replaced(dataclasses.replace(op, min=low, max=high), (before,))
