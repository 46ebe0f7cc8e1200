"""Recurrent layers on integers, in exact arithmetic: sums in float64, which has them exactly, and divisions.

Numbers are integers of 15 binary places, limited to +-2^30; the operators' documentation says what is rounded where.
"""

from __future__ import annotations

import math

import numpy as np

from tinyc.compiler.witness.arithmetic import EXACT, Result
from tinyc.compiler.witness.fixed import requantised
from tinyc.ir.gates import Gate
from tinyc.ir.ops import QGru, QLstm, QRecurrent, QRnn
from tinyc.ir.tensor import Array

UNIT, MOST = 2**15, 2**30
KNOTS = {
    bits: np.array([min(round(math.tanh(k / parts) * UNIT), UNIT - 1) for k in range(8 * parts + 1)], np.int64)
    for bits, parts in ((8, 32), (16, 64))
}
"""tanh in so many parts of 1, by the bits of the hidden state."""


class _Layer:
    """A layer while it runs."""

    def __init__(self, op: QRecurrent, w: Array, r: Array, b: Array, wm: Array, rm: Array) -> None:
        self.op = op
        self._parts = w.astype(np.float64), r.astype(np.float64)
        self._factors = wm.astype(np.int64), rm.astype(np.int64)
        self._bias = b.astype(np.int64)
        self._low, self._high = op.type.dtype.limits
        self._knots = KNOTS[8 * op.type.dtype.bytes]

    def gates(self, vector: Array, which: int, *rows: int) -> Array:
        """Sums of gates times their factors: of the operand (0) or of the hidden state (1)."""
        n = self.op.hidden
        at = np.concatenate([np.arange(n * k, n * (k + 1)) for k in rows])
        sums = vector.astype(np.float64) @ self._parts[which][at].T
        return np.asarray(sums.astype(np.int64) * self._factors[which][at])

    def total(self, sums: Array, bias: Array) -> Array:
        """What sums are, with a bias."""
        return _limit(_nearest(sums, 2**self.op.places) + bias)

    def bias(self, *rows: int) -> Array:
        """Biases of gates."""
        n = self.op.hidden
        return np.concatenate([self._bias[n * k : n * (k + 1)] for k in rows])

    def function(self, number: int, z: Array, clipped: bool = True) -> Array:
        """An activation."""
        op = self.op
        z = np.minimum(np.maximum(z, -op.clip), op.clip) if clipped else z
        kind, a, b = op.functions[number], op.alpha[number], op.beta[number]
        if kind is Gate.SIGMOID:
            return np.asarray(np.floor_divide(UNIT + self.tanh(np.floor_divide(z, 2)), 2))
        if kind is Gate.TANH:
            return self.tanh(z)
        if kind is Gate.RELU:
            return np.where(z > 0, z, 0)
        if kind is Gate.LEAKY_RELU:
            return np.where(z < 0, _product(z, a), z)
        if kind is Gate.SCALED_TANH:
            return _product(self.tanh(_product(z, b)), a)
        if kind is Gate.SOFTSIGN:
            return np.asarray(np.sign(z) * np.floor_divide(np.abs(z) * UNIT, UNIT + np.abs(z)))
        line = _limit(_product(z, a) + b)
        return line if kind is Gate.AFFINE else np.minimum(np.maximum(line, 0), UNIT)

    def narrow(self, h: Array) -> Array:
        """A hidden state as an integer of 8 or 16 bits."""
        moved = requantised(h, self.op.multiplier, self.op.shift) + self.op.zero
        return np.asarray(np.minimum(np.maximum(moved, self._low), self._high))

    def tanh(self, z: Array) -> Array:
        """tanh, linear between knots."""
        size, part = np.minimum(np.abs(z), 8 * UNIT - 1), 8 * UNIT // (self._knots.size - 1)
        at, rest = np.divmod(size, part)
        line = self._knots[at] + _nearest((self._knots[at + 1] - self._knots[at]) * rest, part)
        return np.asarray(np.sign(z) * line)


def _limit(x: Array) -> Array:
    return np.minimum(np.maximum(x, -MOST), MOST)


def _nearest(x: Array, unit: int) -> Array:
    """x / unit, rounded half up."""
    return np.asarray(np.floor_divide(x + unit // 2, unit))


def _product(x: Array, y: Array | int) -> Array:
    return _limit(_nearest(x * y, UNIT))


def _states(op: QRecurrent, given: Array | None) -> Array:
    shape = op.x.shape[1], op.hidden
    return np.zeros(shape, np.int64) if given is None else _limit(given.astype(np.int64))


def _operands(op: QRecurrent, arrays: tuple[Array, ...]) -> tuple[Array, _Layer, Array, list[Array | None]]:
    """The operand's entries in the order of steps, the layer, what it begins with, and what it alone has."""
    x, w, r, b, wm, rm, h, *more = op.arguments(arrays)
    assert x is not None
    layer = _Layer(op, *(a for a in (w, r, b, wm, rm) if a is not None))
    return x[:: -1 if op.reverse else 1], layer, _states(op, h), more


def _result(op: QRecurrent, found: list[Array]) -> Result:
    kept = found[:: -1 if op.reverse else 1] if op.every else found[-1:]
    return Result(np.stack(kept))


@EXACT(QRnn)
def _plain(op: QRnn, *arrays: Array) -> Result:
    entries, layer, h, _ = _operands(op, arrays)
    found, near = [], layer.narrow(h)
    for x in entries:
        near = layer.narrow(
            layer.function(0, layer.total(layer.gates(x, 0, 0) + layer.gates(near, 1, 0), layer.bias(0)))
        )
        found.append(near)
    return _result(op, found)


@EXACT(QLstm)
def _long(op: QLstm, *arrays: Array) -> Result:
    entries, layer, h, (c, p) = _operands(op, arrays)
    n, cell = op.hidden, _states(op, c)
    i_hole, o_hole, f_hole = np.zeros((3, n), np.int64) if p is None else _limit(p.astype(np.int64)).reshape(3, n)
    found, near = [], layer.narrow(h)
    for x in entries:
        z = layer.total(layer.gates(x, 0, 0, 1, 2, 3) + layer.gates(near, 1, 0, 1, 2, 3), layer.bias(0, 1, 2, 3))
        i, o, f, g = np.split(z, 4, axis=1)
        i = layer.function(0, _limit(i + _product(cell, i_hole)))
        f = UNIT - i if op.coupled else layer.function(0, _limit(f + _product(cell, f_hole)))
        cell = _limit(_nearest(f * cell + i * layer.function(1, g), UNIT))
        o = layer.function(0, _limit(o + _product(cell, o_hole)))
        near = layer.narrow(_product(o, layer.function(2, cell, clipped=False)))
        found.append(near)
    return _result(op, found)


@EXACT(QGru)
def _gated(op: QGru, *arrays: Array) -> Result:
    entries, layer, h, (rb,) = _operands(op, arrays)
    inner = np.zeros(op.hidden, np.int64) if rb is None else rb.astype(np.int64)
    found, near = [], layer.narrow(h)
    for x in entries:
        both = layer.total(layer.gates(x, 0, 0, 1) + layer.gates(near, 1, 0, 1), layer.bias(0, 1))
        update, reset = np.split(layer.function(0, both), 2, axis=1)
        if op.after:
            recalled = _product(reset, layer.total(layer.gates(near, 1, 2), inner))
            candidate = _limit(layer.total(layer.gates(x, 0, 2), layer.bias(2)) + recalled)
        else:
            mixed = layer.narrow(_product(reset, h))
            candidate = layer.total(layer.gates(x, 0, 2) + layer.gates(mixed, 1, 2), layer.bias(2))
        h = _limit(_nearest((UNIT - update) * layer.function(1, candidate) + update * h, UNIT))
        near = layer.narrow(h)
        found.append(near)
    return _result(op, found)
