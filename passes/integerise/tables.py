"""Elementwise functions of one value: of int8 any chain of them is one table of 256 entries, exact by construction; of
int16 one with straight lines between its entries (wide_tables.py)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir import expr
from tinyc.ir.module import Made, Node, made
from tinyc.ir.op import Form, IntegerForm, Op, Value
from tinyc.ir.ops import (
    Clamp,
    Dequantize,
    Elementwise,
    Lookup,
    Quantize,
)
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on
from tinyc.passes.integerise.scales import INT8, Scale, clip_of
from tinyc.passes.integerise.wide_tables import of_wide, requantised


def table_op(x: Value, table: Array, rewriter: Rewriter) -> Op | Value:
    """What computes table[x + 128]: the value itself, a clamp, or a lookup."""
    return clip_of(x, table) or Lookup(x, rewriter.constant_value(table, "table"))


def rescaled(x: Value, have: Scale, want: Scale, rewriter: Rewriter, low: int, high: int) -> Op | Value | Skip:
    """What brings integers from one scale to another, and limits them."""
    if DType.I16 in (have.dtype, want.dtype):
        return requantised(x, have, want, low, high)
    table = np.clip(want.quantized(have.dequantized(INT8)), low, high).astype(np.int8)
    return table_op(x, table, rewriter)


@on(Quantize)
def chain_to_table(at: Made[Quantize], rewriter: Rewriter) -> Answer:
    """Replace what depends on one int8 value, element by element, by a table."""
    chain = Chain(rewriter)
    if at.op.to not in (DType.I8, DType.I16) or not chain.reach(at.op.x, at.result.shape):
        return None
    sources = chain.sources
    if len(sources) > 1:
        sources = dict.fromkeys(_behind_table(v, rewriter) for v in sources)
    if len(sources) != 1:
        return None
    source = next(iter(sources))
    if source.shape != at.result.shape:
        return None
    if DType.I16 in (source.dtype, at.op.to):
        function = _Function(chain, at.op.x, source)
        uneven = not _has_own_form(chain, rewriter)
        wide = of_wide(source, chain.scale_of(source), Scale.of(at.op), function, rewriter, uneven)
        return wide if isinstance(wide, Skip) else Replaced(wide, tuple(chain.nodes))
    table = Scale.of(at.op).quantized(np.broadcast_to(chain.column(at.op.x, source), INT8.shape))
    return Replaced(table_op(source, table.astype(np.int8), rewriter), tuple(chain.nodes))


def _has_own_form(chain: Chain, rewriter: Rewriter) -> bool:
    """Whether a chain is one operator of values, as a square is, which has an integer form that needs no table."""
    computing = [node.op for node in chain.nodes if made(node, Dequantize) is None]
    forms = [op.quantised() for op in computing]
    return (
        len(forms) == 1
        and isinstance(forms[0], IntegerForm)
        and forms[0].form is not Form.TABLE
        and all(rewriter.constant(v) is None for v in computing[0].operands)
    )


def _behind_table(value: Value, rewriter: Rewriter) -> Value:
    """The value that a lookup or clamp takes, or the value itself if it is the result of anything else."""
    node = rewriter.producer(value)
    found = _tabled(node, rewriter) if node is not None else None
    return found.x if found is not None else value


class Chain:
    """The elementwise operators between int8 values and a float value."""

    def __init__(self, rewriter: Rewriter) -> None:
        self._rewriter = rewriter
        self._known: dict[Value, Array] = {}
        self._seen: set[Value] = set()
        self.sources: dict[Value, None] = {}
        self.nodes: list[Node] = []
        self.inputs: Array = INT8

    def reach(self, value: Value, shape: tuple[int, ...]) -> bool:
        """Collects the int8 values and operators that a value of this shape comes from; False if there are others."""
        if value in self._seen:
            return True
        self._seen.add(value)
        if self._number(value) is not None:
            return True
        if value.shape != shape:
            return False
        if value.dtype in (DType.I8, DType.I16):
            self.sources[value] = None
            return True
        found = self._rewriter.made(value, Elementwise)
        if found is None or not found.op.uniform() or not all(self.reach(v, shape) for v in found.op.operands):
            return False
        self.nodes.append(found.node)
        return True

    def _number(self, value: Value) -> Array | None:
        """The number that all elements of a constant are, as an array without dimensions."""
        scaled = self._rewriter.made(value, Dequantize)
        if scaled is not None and scaled.op.whole():
            inner = self._number(scaled.op.x)
            return None if inner is None else expr.evaluate(scaled.op.expression(), [inner])
        array = self._rewriter.constant(value)
        if array is None or array.size == 0 or not (array == array.flat[0]).all():
            return None
        return np.asarray(array.flat[0])

    def scale_of(self, source: Value) -> Scale:
        """What the integers of a source stand for; where several things, the first of them."""
        found = (made(node, Dequantize) for node in self.nodes)
        return next((Scale.of(f.op) for f in found if f is not None and f.op.x == source), Scale(1.0, 0, source.dtype))

    def column(self, value: Value, source: Value) -> Array:
        """A value's elements for all elements that the source can have, or for those of `inputs`."""
        if value == source:
            return self.inputs
        if value not in self._known:
            self._known[value] = self._column(value, source)
        return self._known[value]

    def _column(self, value: Value, source: Value) -> Array:
        number = self._number(value)
        if number is not None:
            return number
        found = self._rewriter.made(value, Elementwise)
        if found is not None:
            return expr.evaluate(found.op.expression(), [self.column(v, source) for v in found.op.operands])
        lookup = self._rewriter.made(value, Lookup)
        table = self._rewriter.constant(lookup.op.table) if lookup is not None else None
        assert lookup is not None
        assert table is not None
        return np.asarray(table[self.column(lookup.op.x, source).astype(np.int64) + 128])


@dataclass(frozen=True)
class _Function:
    """What a chain computes of a source, as a function of any integers of it."""

    chain: Chain
    value: Value
    source: Value

    def __call__(self, inputs: Array) -> Array:
        known = Chain(self.chain._rewriter)
        known.inputs = inputs
        return np.broadcast_to(known.column(self.value, self.source), inputs.shape)


@dataclass(frozen=True)
class _Tabled:
    """A function of one int8 value, as a table of all that it gives."""

    x: Value
    table: Array


def _tabled(node: Node, rewriter: Rewriter) -> _Tabled | None:
    """A lookup or an int8 clamp."""
    lookup, clamp = made(node, Lookup), made(node, Clamp)
    if lookup is not None:
        table = rewriter.constant(lookup.op.table)
        return _Tabled(lookup.op.x, table) if table is not None and table.dtype == np.int8 else None
    if clamp is not None and clamp.op.x.dtype is DType.I8:
        return _Tabled(clamp.op.x, np.clip(INT8, max(clamp.op.min, -128), min(clamp.op.max, 127)).astype(np.int8))
    return None


def merge_tables(node: Node, rewriter: Rewriter) -> Answer:
    """Merge a table or clamp of a table or clamp."""
    outer = _tabled(node, rewriter)
    before = rewriter.producer(outer.x) if outer is not None else None
    inner = _tabled(before, rewriter) if before is not None else None
    if outer is None or before is None or inner is None:
        return None
    return Replaced(table_op(inner.x, outer.table[inner.table.astype(np.int64) + 128], rewriter), (before,))


def table_into_limits(node: Node, rewriter: Rewriter) -> Answer:
    """Fuse a table that only limits into the integer operator before it."""
    found = _tabled(node, rewriter)
    before = rewriter.producer(found.x) if found is not None else None
    limits = before.op.limits() if before is not None else None
    if found is None or before is None or limits is None:
        return None
    if rewriter.uses(found.x) > 1:
        return Skip(f"{found.x} is also used without the limits")
    reached = np.arange(int(limits[0]), int(limits[1]) + 1)
    values = found.table[reached + 128].astype(np.int64)
    low, high = int(values[0]), int(values[-1])
    if low > high or not np.array_equal(values, np.clip(reached, low, high)):
        return None
    return Replaced(before.op.limited(low, high), (before,))
