"""Comparisons of int8 values, and booleans as numbers.

Numbers that int8 values stand for rise with these. So whether one is below another is whether it is below an int8 value
that depends on the other: a table, and a comparison of int8 values. The numbers are the float32 numbers that
`dequantize` gives, so that those are equal which it makes equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyc.ir import expr
from tinyc.ir.module import Made, made
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import Cast, Elementwise, Equal, Less, Lookup, Not, Or, Quantize, Where
from tinyc.ir.ops.along import Ranking
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on
from tinyc.passes.integerise.movement import raised
from tinyc.passes.integerise.patterns import Activation, activation, float_operand, real_constant
from tinyc.passes.integerise.scales import INT8, Scale
from tinyc.passes.integerise.tables import Chain

LOW, HIGH = -128, 127
BEYOND = "some of the numbers that it is compared with are below all of its int8 values, and some above"


@on(Less)
def less_in_integers(at: Made[Less], rewriter: Rewriter) -> Answer:
    """Compare on integers which is less."""
    op = at.op
    x, y = activation(op.x, rewriter), activation(op.y, rewriter)
    if (x is None and y is None) or (skip := _kept(at, rewriter)) is None:
        return None
    if skip:
        return Skip(skip)
    if x is not None and y is not None:
        return Replaced(_less(x, y, rewriter), (x.node, y.node))
    numbers = real_constant(op.y if x is not None else op.x, rewriter)
    numbers = None if numbers is None else numbers.astype(np.float32)
    if numbers is None or np.isnan(numbers).any():
        return float_operand(op.y if x is not None else op.x) if numbers is None else Skip("a number of it is none")
    found = _below(x, numbers, rewriter) if x is not None else _above(y, numbers, rewriter) if y is not None else None
    return found if isinstance(found, Skip) or found is None else Replaced(found, tuple(v.node for v in (x, y) if v))


@on(Equal)
def equal_in_integers(at: Made[Equal], rewriter: Rewriter) -> Answer:
    """Compare on integers what is equal."""
    x, y = activation(at.op.x, rewriter), activation(at.op.y, rewriter)
    if x is None or y is None or (skip := _kept(at, rewriter)) is None:
        return None
    if skip:
        return Skip(skip)
    if x.scale == y.scale:
        return Replaced(Equal(x.value, y.value), (x.node, y.node))
    apart = [rewriter.add(_less(*pair, rewriter)) for pair in ((x, y), (y, x))]
    return Replaced(Not(rewriter.add(Or(*apart))), (x.node, y.node))


@on(Ranking)
def rank_integers(at: Made[Ranking], rewriter: Rewriter) -> Answer:
    """Compare integers, which have the order of the numbers that they stand for."""
    x = activation(at.op.operands[0], rewriter, wide=True)
    return None if x is None else Replaced(at.op.with_operands([x.value]), (x.node,))


@on(Elementwise)
def chain_to_integers(at: Made[Elementwise], rewriter: Rewriter) -> Answer:
    """Replace an integer or a boolean that depends on one int8 value, element by element, by a table."""
    op = at.op
    if op.type.dtype.is_float or not any(v.dtype.is_float for v in op.operands) or not op.uniform():
        return None
    chain = Chain(rewriter)
    if not all(chain.reach(v, op.type.shape) for v in op.operands) or len(chain.sources) != 1:
        return None
    if (skip := _kept(at, rewriter)) is None or skip:
        return Skip(skip) if skip else None
    (source,) = chain.sources
    if source.dtype is not DType.I8:
        return None
    table = expr.evaluate(op.expression(), [chain.column(v, source) for v in op.operands])
    if op.type.dtype.is_integer and not ((table >= LOW) & (table <= HIGH)).all():
        return Skip("not all of its integers are of 8 bits")
    found = rewriter.add(_table(source, table, rewriter))
    return Replaced(Cast(found, op.type.dtype), tuple(chain.nodes))


@on(Or)
def at_most_in_integers(at: Made[Or], rewriter: Rewriter) -> Answer:
    """Compare on integers what is less or equal, in one comparison: of int8 values each is a number."""
    less, equal = rewriter.made(at.op.x, Less), rewriter.made(at.op.y, Equal)
    if less is None or equal is None or less.op.operands != equal.op.operands:
        return None
    if all(activation(v, rewriter) is None for v in less.op.operands):
        return None
    more = rewriter.add(Less(less.op.y, less.op.x))
    return Replaced(Not(more), (less.node, equal.node))


@on(Quantize)
def boolean_as_number(at: Made[Quantize], rewriter: Rewriter) -> Answer:
    """Choose between the int8 values of 1 and 0."""
    cast = rewriter.made(at.op.x, Cast) if at.op.to is DType.I8 else None
    if cast is None or cast.op.x.dtype is not DType.BOOL:
        return None
    ends = [rewriter.constant_value(Scale.of(at.op).quantized(np.array(n)), f"number_{n}") for n in (1, 0)]
    return Replaced(Where(cast.op.x, *ends), (cast.node,))


@on(Quantize)
def choose_in_integers(at: Made[Quantize], rewriter: Rewriter) -> Answer:
    """Choose between int8 values."""
    return raised(at, Where, rewriter)


def _kept(at: Made[Any], rewriter: Rewriter) -> str | None:
    """Why a comparison is not made of integers; empty where it is, None where it is not looked at: it and another of
    the same operands together say what is less or equal."""
    users = [n for n in rewriter.users(at.op.operands[0]) if n.op.operands == at.op.operands]
    others = {n.result for n in users if n.result.dtype is DType.BOOL and n.result != at.result}
    if any(made(n, Or) is not None and others.intersection(n.op.operands) for n in rewriter.users(at.result)):
        return None
    return "it decides between floats" if _decides_floats(at.result, rewriter) else ""


def _decides_floats(value: Value, rewriter: Rewriter) -> bool:
    """Whether a choice between floats depends on a boolean: that may be part of what a table or an integer operator
    computes together."""
    return any(
        n.result.dtype.is_float if made(n, Where) is not None else _decides_floats(n.result, rewriter)
        for n in rewriter.users(value)
        if made(n, Where) is not None or n.result.dtype is DType.BOOL
    )


def _reals(scale: Scale) -> Array:
    """What all int8 values stand for."""
    return scale.dequantized(INT8)


def _table(x: Value, table: Array, rewriter: Rewriter) -> Lookup:
    return Lookup(x, rewriter.constant_value(table.astype(np.int8), "table"))


def _less(x: Activation, y: Activation, rewriter: Rewriter) -> Op:
    """Whether x < y."""
    if x.scale == y.scale:
        return Less(x.value, y.value)
    of_x, of_y = _reals(x.scale), _reals(y.scale)
    if of_x[0] >= of_y[0]:
        # x < y where y is above the largest y that is at most x, which there is for each x.
        most = np.searchsorted(of_y, of_x, side="right") - 1 + LOW
        return Less(rewriter.add(_table(x.value, most, rewriter)), y.value)
    # x < y unless x is above the largest x that is below y, which there is for each y.
    most = np.searchsorted(of_x, of_y, side="left") - 1 + LOW
    return Not(rewriter.add(Less(rewriter.add(_table(y.value, most, rewriter)), x.value)))


def _below(x: Activation, numbers: Array, rewriter: Rewriter) -> Op | Skip:
    """Whether x is below numbers: below the least x that is not, or not above the largest that is."""
    least = np.searchsorted(_reals(x.scale), numbers, side="left") + LOW
    if least.max(initial=LOW) <= HIGH:
        return Less(x.value, _bounds(least, rewriter))
    if least.min(initial=HIGH) > LOW:
        return Not(rewriter.add(Less(_bounds(least - 1, rewriter), x.value)))
    return Skip(BEYOND)


def _above(x: Activation, numbers: Array, rewriter: Rewriter) -> Op | Skip:
    """Whether x is above numbers: above the largest x that is not, or not below the least that is."""
    most = np.searchsorted(_reals(x.scale), numbers, side="right") - 1 + LOW
    if most.min(initial=HIGH) >= LOW:
        return Less(_bounds(most, rewriter), x.value)
    if most.max(initial=LOW) < HIGH:
        return Not(rewriter.add(Less(x.value, _bounds(most + 1, rewriter))))
    return Skip(BEYOND)


def _bounds(bounds: Array, rewriter: Rewriter) -> Value:
    return rewriter.constant_value(bounds.astype(np.int8), "bounds")
