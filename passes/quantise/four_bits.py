"""Weights of 4 bits: which layers can have them, their scales, and the integers.

With 16 levels, the largest weight of a channel is a bad measure of its scale, which is the one with which the squared
error of the results is least. What matters for that is how much the inputs vary that weights meet, and how they go
together: their second moments, seen on calibration data.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from tinyc.ir.module import Module, made
from tinyc.ir.op import Form, Op, Value
from tinyc.ir.ops import Conv2d, Dense
from tinyc.ir.ops.conv import windows
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import PassError
from tinyc.passes.quantise.calibrate import Run, Samples
from tinyc.passes.quantise.error_feedback import rounded, squared_errors
from tinyc.passes.quantise.units import Unit, parts

LEVELS = (-8, 7)
BLOCK = 1024
"""Inputs of a layer, at most, whose products are known two by two; where there are more, within blocks of so many."""
PIXELS = 2048
"""Pixels of a sample, at most, that are seen."""
LANES = 4
"""Output channels whose weights lie in bytes together: fewer keep 8 bits."""
WORTH = 0.005
"""The part of all bytes that can be saved which a layer must save where it was not named."""
_CLIPPING = np.linspace(0.5, 1.0, 6)
"""Scales that are tried, in parts of that which clips no weight."""
_REFINED = 2
"""How often a scale is made the best one for its integers, and these for the scale."""


@dataclass(frozen=True)
class Moments:
    """Of a layer's inputs: for each block, second moments [groups, inputs, inputs], and means [groups, inputs]."""

    blocks: tuple[Array, ...]
    means: tuple[Array, ...]

    def by_block(self, rows: Array) -> Iterator[tuple[slice, slice, Array]]:
        """Outputs and inputs of weights [outputs, inputs] that meet the same inputs, and the moments of these."""
        begin = 0
        for block in self.blocks:
            each, inputs = len(rows) // len(block), slice(begin, begin + block.shape[1])
            for group, moments in enumerate(block):
                yield slice(group * each, (group + 1) * each), inputs, moments
            begin = inputs.stop

    def scales(self, rows: Array) -> Array:
        """One scale for each output of weights [outputs, inputs], by the least squared error of the results."""
        whole = np.abs(rows).max(axis=1, initial=0.0) / LEVELS[1]
        best, least = np.where(whole > 0, whole, 1.0), np.full(len(rows), np.inf)
        tried = [best * part for part in _CLIPPING]
        for turn in range(len(tried) + _REFINED):
            scales = tried[turn] if turn < len(tried) else self._refined(rows, best)
            errors = self.errors(rows - self.rounded(rows, scales) * scales[:, None])
            best, least = np.where(errors < least, scales, best), np.minimum(errors, least)
        return best

    def _refined(self, rows: Array, scales: Array) -> Array:
        """The scales with which the integers for other ones have the least error."""
        integers = self.rounded(rows, scales).astype(np.float64)
        both, own = np.zeros(len(rows)), np.zeros(len(rows))
        for outputs, inputs, moments in self.by_block(rows):
            met = integers[outputs, inputs] @ moments
            both[outputs] += np.einsum("oi,oi->o", met, rows[outputs, inputs])
            own[outputs] += np.einsum("oi,oi->o", met, integers[outputs, inputs])
        return np.divide(both, own, out=scales.copy(), where=(own > 0) & (both > 0))

    def rounded(self, rows: Array, scales: Array) -> Array:
        """The integers of weights [outputs, inputs], int8."""
        found = np.zeros(rows.shape, np.int8)
        for outputs, inputs, moments in self.by_block(rows):
            found[outputs, inputs] = rounded(rows[outputs, inputs], scales[outputs], moments, LEVELS)
        return found

    def mean_error(self, off: Array) -> Array:
        """The mean of what each output is off, of weights [outputs, inputs] that are off by so much."""
        found = np.zeros(len(off))
        for (outputs, inputs, _), mean in zip(
            self.by_block(off), (m for block in self.means for m in block), strict=True
        ):
            found[outputs] += off[outputs, inputs] @ mean
        return found

    def errors(self, off: Array) -> Array:
        """The mean squared error of each output whose weights [outputs, inputs] are off by so much."""
        found = np.zeros(len(off))
        for outputs, inputs, moments in self.by_block(off):
            found[outputs] += squared_errors(off[outputs, inputs], moments)
        return found


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
    """The results of layers that ONNX nodes of such names became, or of all where
    4 bits pay.

    Raises:
        PassError: a name is unknown, or that of what has no weights of 4 bits.
    """
    able = candidates(module, units)
    if names is None:
        return tuple(v for v, saved in able.items() if saved >= WORTH * sum(able.values()))
    named = {name: v for v in able for name in parts(module.producer[v].loc)}
    if wrong := [name for name in names if name not in named]:
        known = {part for n in module.nodes for part in parts(n.loc)}
        what = (
            "it has no weights that take less memory in 4 bits" if wrong[0] in known else "there is none of this name"
        )
        can = ", ".join(parts(module.producer[v].loc)[0] for v in able if module.producer[v].loc)
        raise PassError(f"the weights of {wrong[0]!r} cannot have 4 bits: {what}; layers that can are {can or 'none'}")
    return tuple(dict.fromkeys(named[name] for name in names))


def see_moments(
    module: Module, layers: Collection[Value], samples: Samples, run: Run, centred: bool = True
) -> Mapping[Value, Moments]:
    """The second moments of what layers take, by their results; with `centred` those about the mean, for layers whose
    mean error their biases take away."""
    made_by = {v: made(module.producer[v], LinearLayer) for v in layers}
    ops = {v: layer.op for v, layer in made_by.items() if layer is not None}
    takers: dict[Value, list[Value]] = {}
    for value, op in ops.items():
        takers.setdefault(op.x, []).append(value)
    totals: dict[Value, list[Array]] = {}
    means: dict[Value, Array] = {}
    counts = dict.fromkeys(ops, 0)

    def see(value: Value, array: Array) -> None:
        for result in takers.get(value, ()):
            rows = _taken(ops[result], array)
            found = [np.einsum("ngi,ngj->gij", part, part, optimize=True) for part in _blocks(rows)]
            totals[result] = [a + b for a, b in zip(totals[result], found, strict=True)] if result in totals else found
            counts[result] += len(rows)
            means[result] = means.get(result, 0.0) + rows.sum(axis=0)

    for inputs in samples:
        for value, array in zip(module.inputs, inputs, strict=True):
            see(value, array)
        run(module, inputs, see)
    found = {}
    for value, count in counts.items():
        middle = _blocks(means[value][None] / count)
        outer = [np.einsum("ngi,ngj->gij", m, m) if centred else 0.0 for m in middle]
        blocks = (t / count - o for t, o in zip(totals[value], outer, strict=True))
        found[value] = Moments(tuple(_shrunk(block, count) for block in blocks), tuple(m[0] for m in middle))
    return found


def _shrunk(block: Array, count: int) -> Array:
    """Moments [groups, inputs, inputs] of so many pixels, with the products of two inputs made smaller, the more so the
    fewer pixels there are for an input."""
    inputs = block.shape[1]
    part = count / (count + inputs)
    return block * np.where(np.eye(inputs, dtype=bool), 1.0, part)


def _blocks(rows: Array) -> list[Array]:
    count = max(1, -(-rows.shape[2] // BLOCK))
    return np.array_split(rows, count, axis=2)


@singledispatch
def _taken(op: Op, x: Array) -> Array:
    """What a layer takes, of some of its pixels: [pixels, groups, inputs of an output]."""
    raise PassError(f"the weights of {op.mnemonic} have 8 bits")


@_taken.register
def _taken_by_dense(op: Dense, x: Array) -> Array:
    rows = x.reshape(-1, 1, x.shape[-1])
    return np.asarray(rows[:: -(-len(rows) // PIXELS)], np.float64)


@_taken.register
def _taken_by_convolution(op: Conv2d, x: Array) -> Array:
    found = windows(op, x, op.pad_value)
    count = math.prod(found.shape[:3])
    pixels = np.arange(0, count, -(-count // PIXELS))
    taken = found[np.unravel_index(pixels, found.shape[:3])].astype(np.float64)
    grouped = taken.reshape(*taken.shape[:3], op.groups, -1)
    return np.moveaxis(grouped, 3, 1).reshape(len(taken), op.groups, -1)
