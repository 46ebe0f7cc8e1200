"""Weights of 4 bits: which layers can have them, their scales, and the integers.

With 16 levels, the largest weight of a channel is a bad measure of its scale, which is the one with which the squared
error of the results is least. What matters for that is how much the inputs vary that weights meet, and how they go
together: their second moments, seen on calibration data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import singledispatch

import numpy as np

from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Form, Op, Value
from tinyc.ir.ops import Conv2d, Dense
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import PassError
from tinyc.passes.quantise.moments import Moments
from tinyc.passes.quantise.units import Unit, parts

LIMIT = 7
"""The largest integer; the least is its negative."""
PLACES = 2048
"""Places of a result that are looked at in each sample: steps are coarse, so that much depends on what weights meet."""
LANES = 4
"""Output channels whose weights lie in bytes together: fewer keep 8 bits."""
WORTH = 0.005
"""The part of all bytes that can be saved which a layer must save where it was not named."""
_CLIPPING = np.linspace(0.5, 1.0, 6)
"""Scales that are tried, in parts of that which clips no weight."""
_REFINED = 2
"""How often a scale is made the best one for its integers, and these for the scale."""


def scales_of(moments: Moments, rows: Array) -> Array:
    """One scale for each output of weights [outputs, products], by the least squared error of the results."""
    whole = np.abs(rows).max(axis=1, initial=0.0) / LIMIT
    best, least = np.where(whole > 0, whole, 1.0), np.full(len(rows), np.inf)
    tried = [best * part for part in _CLIPPING]
    for turn in range(len(tried) + _REFINED):
        scales = tried[turn] if turn < len(tried) else _refined(moments, rows, best)
        off = rows - integers_of(moments, rows, scales) * scales[:, None]
        errors = moments.product(off, off)
        best, least = np.where(errors < least, scales, best), np.minimum(errors, least)
    return best


def integers_of(moments: Moments, rows: Array, scales: Array) -> Array:
    """The integers of weights [outputs, products], int8."""
    return moments.rounded_rows(rows, scales, LIMIT, beside=False).astype(np.int8)


def _refined(moments: Moments, rows: Array, scales: Array) -> Array:
    """The scales with which the integers for other ones have the least error."""
    integers = integers_of(moments, rows, scales).astype(np.float64)
    both, own = moments.product(integers, rows), moments.product(integers, integers)
    return np.divide(both, own, out=scales.copy(), where=(own > 0) & (both > 0))


def candidates(module: Module, units: Sequence[Unit]) -> dict[Value, int]:
    """Results of layers whose weights can have 4 bits, and the bytes that each saves."""
    found = {}
    for unit in units:
        layer = made(unit.nodes[0], LinearLayer) if unit.form is Form.LAYER else None
        saved = saved_bytes(layer.op) if layer is not None and module.constant(layer.op.w) is not None else 0
        if saved:
            found[unit.result] = saved
    return found


@singledispatch
def saved_bytes(op: Op) -> int:
    """The bytes that the weights of a layer take less with 4 bits; 0 for those that keep 8."""
    return 0


@saved_bytes.register
def _saved_by_dense(op: Dense) -> int:
    return _saved(op.w, 1)


@saved_bytes.register
def _saved_by_convolution(op: Conv2d) -> int:
    return _saved(op.w, op.groups)


def _saved(w: Value, groups: int) -> int:
    outputs = w.shape[0] // groups // LANES * LANES * groups
    return outputs * (w.type.size // max(w.shape[0], 1)) // 2


def chosen(module: Module, units: Sequence[Unit], names: Collection[str] | None) -> tuple[Value, ...]:
    """The results of layers that ONNX nodes of such names became, or of all where 4 bits pay.

    Raises:
        PassError: a name is unknown, or that of what has no weights of 4 bits.
    """
    able = candidates(module, units)
    if names is None:
        return tuple(v for v, saved in able.items() if saved >= WORTH * sum(able.values()))
    named = {name: v for v in able for name in parts(module.producer[v].loc)}
    if wrong := [name for name in names if name not in named]:
        can = ", ".join(parts(module.producer[v].loc)[0] for v in able if module.producer[v].loc)
        why = _why_not(module, units, wrong[0])
        raise PassError(f"the weights of {wrong[0]!r} cannot have 4 bits: {why}; layers that can are {can or 'none'}")
    return tuple(dict.fromkeys(named[name] for name in names))


def _why_not(module: Module, units: Sequence[Unit], name: str) -> str:
    """Why the weights of the ONNX node of this name keep their bits."""
    if name not in _named(module.nodes):
        return "there is none of this name"
    if name not in _named(n for u in units for n in u.nodes):
        return "it stays float"
    return "it has no weights that take less memory in 4 bits"


def _named(nodes: Iterable[Node]) -> set[str]:
    return {part for n in nodes for part in parts(n.loc)}
