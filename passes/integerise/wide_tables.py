"""Elementwise functions that int16 has a part in: requantisation, limits, or a table with straight lines in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tinyc.ir.module import Made, made
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import Clamp, Interpolate, InterpolateUneven, Lookup, Requantise
from tinyc.ir.ops.qinterpolate import CELLS, MOST_PIECES
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType
from tinyc.passes.core.facts import intersect
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on
from tinyc.passes.integerise.scales import INT8, Scale, limited, requantiser, widest

LEAST_PIECES = 9
"""A table has 513 entries, or more where straight lines are too far from the function."""
OFF, MOST_OFF = 1.0, 3.0
"""Steps of the result for which a table has more entries, and by which none may be off; 256 of int16 are one."""
INT16 = np.arange(-(2**15), 2**15).astype(np.int16)

Function = Callable[[Array], Array]
"""The float32 numbers that a chain of operators makes of integers."""


def requantised(x: Value, have: Scale, want: Scale, low: int, high: int) -> Op | Value | Skip:
    """What brings integers from one scale to another, and limits them."""
    if have == want:
        return limited(x, low, high)
    pair = requantiser(have.scale / want.scale, widest(have))
    if isinstance(pair, Skip):
        return pair
    return Requantise(x, have.zero, *pair, want.zero, low, high, want.dtype)


def of_wide(
    source: Value, have: Scale, want: Scale, function: Function, rewriter: Rewriter, uneven: bool
) -> Op | Value | Skip:
    """What computes a function of integers of scale `have`, of which they or the result, of scale `want`, are int16; by
    an uneven table only if `uneven`."""
    integers = INT16 if source.dtype is DType.I16 else INT8
    whole = want.quantized(function(integers)).astype(np.int64)
    for line in _lines(source, have, want, whole, function):
        if np.abs(_run(line, source, integers) - whole).max() <= OFF:
            return line
    if source.dtype is not DType.I16:
        return Lookup(source, rewriter.constant_value(whole.astype(np.int16), "table"))
    # An int8 result is one of int16 in steps of 1/256, requantised.
    fine = want if want.dtype is DType.I16 else Scale(want.scale / 256, 256 * want.zero, DType.I16)
    coarser = 1.0 if want == fine else 128.0
    made: Op
    if (table := _pieces(function, fine, coarser)) is not None:
        made = Interpolate(source, rewriter.constant_value(table, "table"))
    elif uneven and (cells := _uneven_pieces(function, fine, coarser)) is not None:
        made = InterpolateUneven(
            source, rewriter.constant_value(cells[0], "table"), rewriter.constant_value(cells[1], "first")
        )
    else:
        return Skip(f"{2**MOST_PIECES} straight lines are not near enough to it")
    if want == fine:
        return made
    return requantised(rewriter.add(made), fine, want, *want.dtype.limits)


def _lines(source: Value, have: Scale, want: Scale, whole: Array, function: Function) -> Iterator[Op | Value]:
    """Requantisations that may be the function: what only changes the scale and limits, and a straight line through two
    of its points."""
    ends = int(whole.min()), int(whole.max())
    for low, high in (want.dtype.limits, ends):
        if not isinstance(line := requantised(source, have, want, low, high), Skip):
            yield line
    inner = np.flatnonzero((whole > ends[0]) & (whole < ends[1])) + source.dtype.limits[0]
    if len(inner) < 2:
        return
    first, last = (int(inner[k]) for k in (0, -1))
    steps = function(np.array([first, last], np.int32)).astype(np.float64) / want.scale
    if not np.isfinite(steps).all():  # the logarithm of a negative number
        return
    factor = float(steps[1] - steps[0]) / (last - first)
    start = round(float(steps[0]) - factor * (first - have.zero) + want.zero)
    pair = requantiser(factor, widest(have)) if factor > 0 else Skip("")
    if not isinstance(pair, Skip) and want.dtype.has(start):
        yield Requantise(source, have.zero, *pair, start, *ends, want.dtype)


def _run(made: Op | Value, source: Value, integers: Array) -> Array:
    """What an operator on a source gives for some integers."""
    if isinstance(made, Value):
        return integers.astype(np.int64)
    of_all = made.replace_operands({source: Value(source.name, TensorType(integers.shape, source.dtype))})
    return of_all.run([integers]).astype(np.int64)


def _pieces(function: Function, want: Scale, coarser: float) -> Array | None:
    """The table of a function of int16 with entries at equal distances: as few as give all its numbers to `OFF` steps;
    None where there are none. Steps that count are `coarser`."""
    whole = want.quantized(function(INT16)).astype(np.int64)
    for k in range(LEAST_PIECES, MOST_PIECES + 1):
        knots = np.arange(-(2**15), 2**15 + 1, 2 ** (16 - k)).astype(np.int32)
        table = want.quantized(function(knots))
        x, entries = (Value(n, TensorType(a.shape, DType.I16)) for n, a in (("x", INT16), ("t", table)))
        off = np.abs(Interpolate(x, entries).run([INT16, table]) - whole).max() / coarser
        if off <= OFF:
            return table
    return None


def _uneven_pieces(function: Function, want: Scale, coarser: float) -> tuple[Array, Array] | None:
    """The table of a function of int16, and where the entries of its cells begin: in each as few lines as give all its
    numbers to `OFF` steps, or to `MOST_OFF` at most where these are too many; None where they are still."""
    size = 2**16 // CELLS
    whole = want.quantized(function(INT16)).astype(np.int64).reshape(CELLS, size)
    starts = INT16.astype(np.int32).reshape(CELLS, size)[:, :1]
    counts = [2**k for k in range(size.bit_length())]
    knots = [want.quantized(function(starts + np.arange(n + 1) * (size // n))).astype(np.int64) for n in counts]
    off = np.stack([np.abs(_between(entries, size) - whole).max(axis=1) for entries in knots]) / coarser
    for most in (OFF, MOST_OFF):
        chosen = (off <= most).argmax(axis=0)
        lines = np.array(counts)[chosen]
        if lines.sum() <= 2**MOST_PIECES:
            entries = [knots[k][cell, :-1] for cell, k in enumerate(chosen)]
            table = np.concatenate([*entries, knots[0][-1, -1:]]).astype(np.int16)
            return table, np.concatenate([[0], np.cumsum(lines)]).astype(np.int16)
    return None


def _between(entries: Array, size: int) -> Array:
    """What straight lines between the entries of each cell give for its integers, `size` of them."""
    place = np.arange(size) * (entries.shape[1] - 1)
    at, rest = place // size, place % size
    return np.asarray(entries[:, at] + (((entries[:, at + 1] - entries[:, at]) * rest + size // 2) // size))


@on(Clamp)
def clamp_into_limits(at: Made[Clamp], rewriter: Rewriter) -> Answer:
    """Fuse the limits of an int16 value into the integer operator before it."""
    before = rewriter.producer(at.op.x) if at.op.x.dtype is DType.I16 else None
    limits = before.op.limits() if before is not None else None
    if before is None or limits is None:
        return None
    if rewriter.uses(at.op.x) > 1:
        return Skip(f"{at.op.x} is also used without the limits")
    low, high = intersect(*limits, at.op.min, at.op.max)
    if made(before, Clamp) is None:
        low, high = int(low), int(high)
    return Replaced(before.op.limited(low, high), (before,))
