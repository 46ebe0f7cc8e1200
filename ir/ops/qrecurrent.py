"""Recurrent layers on integers: int8 weights, operands and hidden states of int8 or int16, each for itself, all else in
Q16.15 (`tinyc.ir.q15`).

A gate's sum is z = (wm * (x . w) + rm * (h . r)) / 2^places, rounded half up, plus b; zero points are folded into b.
What a gate gives, the cell, and the hidden state that a step adds to, have 15 binary places. The next step's products,
and the result, have the hidden state as int8 or int16 (`to`): requantised by `multiplier` and `shift`, plus `zero`.
The table of tanh has finer steps where that is int16. Sums times wm and rm are at most 2^62 (`most_products`).

`x_scale`, `x_zero` and `scale` say what the integers stand for, for who explains or exports the operator; nothing is
computed by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tinyc.ir import q15
from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.fixed_point import Int64s, to_multiplier
from tinyc.ir.gates import DEFAULTS, Gate
from tinyc.ir.op import Value
from tinyc.ir.ops.int8 import (
    ACTIVATIONS,
    Int8,
    check_activation,
    check_channels,
    check_factor,
    check_int8,
    check_output,
    drawn_zero,
    narrow,
)
from tinyc.ir.ops.recurrent import CellSteps, GatedSteps, PlainSteps, Steps
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

MOST = 2**15
"""Inputs and units, so that a sum of products of int8 is at most 2^29, and one of products with int16 2^37."""
MOST_SUMS = 2.0**62
"""What the products of a gate, times their multipliers, may be: int64 holds them, rounded as well."""
MOST_LEFT = 8
"""What a hidden state is shifted left by at most to become int16: with more, fewer than 2^8 of these would occur."""


@dataclass(frozen=True)
class QRecurrent(Steps, Int8):
    """Base of recurrent layers on integers. `h` is Q16.15."""

    x: Value
    w: Value
    r: Value
    b: Value
    wm: Value
    rm: Value
    h: Value | None = None
    places: int = 15
    multiplier: int = 2**30
    shift: int = -7
    zero: int = 0
    functions: tuple[Gate, ...] = ()
    alpha: tuple[int, ...] = ()
    beta: tuple[int, ...] = ()
    clip: int = q15.LIMIT
    reverse: bool = False
    every: bool = True
    signal: bool = False
    x_scale: float = 1.0
    x_zero: int = 0
    scale: float = 1.0
    to: DType = DType.I8

    @classmethod
    def sample(cls, draw: Draw) -> QRecurrent:
        steps, batch, inputs, hidden = draw.integer(1, 5), draw.choice([1, 1, 2]), *draw.pair(1, 6)
        new = TensorType((steps, batch, inputs), draw.choice(ACTIVATIONS))
        x = draw.pick(lambda v: v.dtype in ACTIVATIONS and v.type.rank == 3 and max(v.shape) < 10, new)
        rows, inputs = cls.gates * hidden, x.shape[2]
        w, r = (draw.constant((rows, n), DType.I8) for n in (inputs, hidden))
        functions = cls.usual if draw.chance(0.6) else tuple(draw.choice(list(Gate)) for _ in cls.usual)
        to = draw.choice(ACTIVATIONS)
        finer = [1 / 2**15, 1 / 25_000, 1 / 500_000] if to is DType.I16 else [1 / 128, 1 / 100, 1 / 40]
        multiplier, shift = to_multiplier(1 / q15.ONE / draw.choice(finer))
        named: dict[str, Any] = {
            "h": drawn_state(draw, (x.shape[1], hidden)) if draw.chance(0.3) else None,
            "places": draw.choice([15, 20, 31]),
            "multiplier": multiplier,
            "shift": shift,
            "zero": drawn_zero(draw, to),
            "to": to,
            "functions": functions,
            "alpha": tuple(q15.fixed(DEFAULTS.get(f, (0.0, 0.0))[0]) for f in functions),
            "beta": tuple(q15.fixed(DEFAULTS.get(f, (0.0, 0.0))[1]) for f in functions),
            "clip": draw.choice([q15.LIMIT, q15.LIMIT, q15.ONE]),
            "reverse": draw.chance(0.3),
            "every": draw.chance(0.7),
            **cls.more(draw, x.shape[1], hidden),
        }
        # Gates that are saturated tell little: sums of some thousand are numbers around 1.
        most = [min((8 << named["places"] + 8) >> 8 * t.bytes, 2**31 - 1) for t in (x.dtype, to)]
        b, wm, rm = (
            draw.given(np.array([draw.integer(low, high) for _ in range(rows)], np.int32))
            for low, high in ((-2 * q15.ONE, 2 * q15.ONE), *((0, limit) for limit in most))
        )
        return cast("QRecurrent", cast("Any", cls)(x, w, r, b, wm, rm, **named))

    @classmethod
    def more(cls, draw: Draw, batch: int, hidden: int) -> dict[str, Any]:
        """Random fields that this kind alone has."""
        return {}

    def infer(self) -> TensorType:
        check_activation(self.x, self.x_zero)
        check_int8(self.w, self.r)
        self.check_shapes()
        rows = self.gates * self.hidden
        check_channels(rows, bias=self.b, wm=self.wm, rm=self.rm)
        check_output(self.to, *self.to.limits, self.zero)
        wide = self.to is DType.I16
        check_factor(self.multiplier, self.shift, MOST_LEFT if wide else 0, q15.LIMIT, wide)
        for value in (self.h, *self.own_operands().values()):
            check_words(value)
        if max(self.hidden, self.x.shape[2]) > MOST or not 1 <= self.places <= 40:
            raise IRError(f"takes at most {MOST} inputs and units, and 1 to 40 places, not {self.places}")
        if not len(self.functions) == len(self.alpha) == len(self.beta):
            raise IRError(f"{len(self.functions)} activations have as many parameters alpha and beta")
        if any(abs(v) > q15.LIMIT for v in (*self.alpha, *self.beta)) or not 0 < self.clip <= q15.LIMIT:
            raise IRError("parameters of activations and what clips are in Q16.15, at most 2^30")
        return TensorType(self.shape(), self.to)

    def evaluate(self, *operands: Array) -> Array:
        read, (r, b, rm), h, more = self.given(operands)
        state, near, found = self.begun(h, *more), self.narrowed(h), []
        for t in self.order():
            near, state = self.step(read[t], r, b, rm, near.astype(np.int64), state, *more)
            found.append(near)
        return self.turned(np.stack(self.placed(found)))

    def given(
        self, operands: Sequence[Array | None]
    ) -> tuple[Int64s, tuple[Int64s, Int64s, Int64s], Int64s, list[Int64s | None]]:
        """What is read of x in each step, times its multipliers; what is made of states; the first of these; others."""
        x, w, r, b, wm, rm = (o.astype(np.int64) for o in cast("list[Array]", operands[:6]))
        h, *more = (None if o is None else o.astype(np.int64) for o in operands[6:])
        state = np.zeros((self.sizes[1], self.hidden), np.int64) if h is None else q15.limited(h)
        return (self.turned(x) @ w.T) * wm, (r, b, rm), state, more

    def advance(self, held: Array, operands: Sequence[Array], first: bool) -> Array:
        """In `held` lie the hidden state as products see it, behind what else goes from row to row."""
        read, (r, b, rm), h, more = self.given(self.arguments(operands))
        words, n = held[: 4 * self.carried_words()].view(np.int32), self.hidden
        narrow = held[held.size - n * self.to.bytes :].view(self.to.numpy)
        state, near = self.begun(h, *more), self.narrowed(h)
        if not first:
            state, near = words.astype(np.int64).reshape(-1, n), narrow.reshape(1, n)
        near, state = self.step(read[0], r, b, rm, near.astype(np.int64), state, *more)
        words[:] = state.reshape(-1)[: words.size]
        narrow[:] = near.reshape(-1)
        return near.reshape(1, 1, n)

    def begun(self, h: Int64s, *more: Int64s | None) -> Int64s:
        """What goes from step to step beside the hidden state as products see it, before the first."""
        return h[:0]

    def step(
        self, read: Int64s, r: Int64s, b: Int64s, rm: Int64s, near: Int64s, state: Int64s, *more: Int64s | None
    ) -> tuple[Array, Int64s]:
        """The hidden state as products see it, and what else goes to the next step, given what is read of x times its
        multipliers, and both of them before."""
        raise NotImplementedError

    def carried_words(self) -> int:
        """32-bit words that go from step to step beside the hidden state as products see it."""
        return self.hidden

    def narrowed(self, h: Int64s) -> Array:
        """A hidden state as products see it."""
        return narrow(h, self.multiplier, self.shift, self.zero, *self.to.limits, self.to)

    def total(self, sums: Int64s, b: Int64s) -> Int64s:
        """Gates' sums, given sums of products times multipliers."""
        return q15.limited(((sums + (1 << (self.places - 1))) >> self.places) + b)

    def active(self, number: int, z: Int64s) -> Int64s:
        """Activation `number` of a sum, which is clipped first."""
        z = np.clip(z, -self.clip, self.clip)
        return self.function(number, z)

    def function(self, number: int, z: Int64s) -> Int64s:
        """Activation `number` of any number."""
        return q15.active(self.functions[number], z, self.alpha[number], self.beta[number], self.tanh_step())

    def tanh_step(self) -> int:
        """Binary places of a step of the table of tanh."""
        return q15.FINE if self.to is DType.I16 else q15.COARSE

    def state_words(self) -> int:
        """32-bit words that the kernel keeps from step to step, or for a step."""
        return 0

    def working_bytes(self) -> int:
        return 4 * self.state_words() + self.hidden * self.to.bytes


@dataclass(frozen=True)
class QRnn(PlainSteps, QRecurrent, mnemonic="qrnn"):
    """`rnn` on integers."""

    def step(
        self, read: Int64s, r: Int64s, b: Int64s, rm: Int64s, near: Int64s, state: Int64s, *more: Int64s | None
    ) -> tuple[Array, Int64s]:
        return self.narrowed(self.active(0, self.total(read + (near @ r.T) * rm, b))), state

    def carried_words(self) -> int:
        return 0


@dataclass(frozen=True)
class QGru(GatedSteps, QRecurrent, mnemonic="qgru"):
    """`gru` on integers. `rb` is Q16.15. Without `after`, the products of the reset gate and the hidden state have
    the type and scale of that."""

    @classmethod
    def more(cls, draw: Draw, batch: int, hidden: int) -> dict[str, Any]:
        after = draw.chance(0.5)
        return {"after": after, "rb": drawn_state(draw, (hidden,)) if after and draw.chance(0.7) else None}

    def begun(self, h: Int64s, *more: Int64s | None) -> Int64s:
        return h

    def step(
        self, read: Int64s, r: Int64s, b: Int64s, rm: Int64s, near: Int64s, state: Int64s, *more: Int64s | None
    ) -> tuple[Array, Int64s]:
        n, h = self.hidden, state
        inner = np.zeros(n, np.int64) if more[0] is None else more[0]
        sums = (near @ r.T) * rm
        both = self.active(0, self.total(read[:, : 2 * n] + sums[:, : 2 * n], b[: 2 * n]))
        update, reset = both[:, :n], both[:, n:]
        if self.after:
            recalled = q15.rounded(reset * self.total(sums[:, 2 * n :], inner))
            candidate = q15.limited(self.total(read[:, 2 * n :], b[2 * n :]) + recalled)
        else:
            mixed = self.narrowed(q15.rounded(reset * h)).astype(np.int64)
            candidate = self.total(read[:, 2 * n :] + (mixed @ r[2 * n :].T) * rm[2 * n :], b[2 * n :])
        h = q15.rounded((q15.ONE - update) * self.active(1, candidate) + update * h)
        return self.narrowed(h), h

    def state_words(self) -> int:
        return self.hidden if self.after else 2 * self.hidden + -(-self.hidden // 4) * self.to.bytes


@dataclass(frozen=True)
class QLstm(CellSteps, QRecurrent, mnemonic="qlstm"):
    """`lstm` on integers, without its cell as a result. `c` and `p` are Q16.15."""

    @classmethod
    def more(cls, draw: Draw, batch: int, hidden: int) -> dict[str, Any]:
        return {
            "c": drawn_state(draw, (batch, hidden)) if draw.chance(0.3) else None,
            "p": drawn_state(draw, (3 * hidden,)) if draw.chance(0.3) else None,
            "coupled": draw.chance(0.2),
        }

    def begun(self, h: Int64s, *more: Int64s | None) -> Int64s:
        return np.zeros_like(h) if more[0] is None else q15.limited(more[0])

    def step(
        self, read: Int64s, r: Int64s, b: Int64s, rm: Int64s, near: Int64s, state: Int64s, *more: Int64s | None
    ) -> tuple[Array, Int64s]:
        n, c = self.hidden, state
        p = np.zeros(3 * n, np.int64) if more[1] is None else q15.limited(more[1])
        z = self.total(read + (near @ r.T) * rm, b)
        i, o, f, g = (z[:, k * n : (k + 1) * n] for k in range(4))
        enter = self.active(0, q15.limited(i + q15.rounded(p[:n] * c)))
        keep = q15.ONE - enter
        if not self.coupled:
            keep = self.active(0, q15.limited(f + q15.rounded(p[2 * n :] * c)))
        c = q15.rounded(keep * c + enter * self.active(1, g))
        leave = self.active(0, q15.limited(o + q15.rounded(p[n : 2 * n] * c)))
        return self.narrowed(q15.rounded(leave * self.function(2, c))), c

    def state_words(self) -> int:
        return self.hidden


def most_products(x: DType, state: DType, w: Array, r: Array, wm: Array | float, rm: Array | float) -> Array:
    """What sums of products are at most for each gate, [gates * hidden] in float64, whatever operand and hidden state
    of these types are: times multipliers `wm` and `rm`, or real numbers in place of them."""
    far, back = (float(-t.limits[0]) for t in (x, state))
    rows, columns = (np.abs(a.astype(np.float64)).sum(axis=1) for a in (w, r))
    return np.asarray(far * rows * np.abs(wm) + back * columns * np.abs(rm))


def check_words(value: Value | None) -> None:
    """Raises `IRError` unless a value, if there is one, is int32."""
    if value is not None and value.dtype is not DType.I32:
        raise IRError(f"{value} {value.type} is not int32, in Q16.15")


def drawn_state(draw: Draw, shape: tuple[int, ...]) -> Value:
    """Numbers in Q16.15, around 1."""
    rng = np.random.default_rng(draw.random.getrandbits(32))
    return draw.given(rng.integers(-2 * q15.ONE, 2 * q15.ONE, shape).astype(np.int32))
